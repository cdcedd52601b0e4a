/* A child whose first thread has left, while another one is in a tracked call, or is about to make its first. To the
 * kernel the child's first thread is dead; the process is not. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "victim.h"

static int ready[2];

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

/* Stays until the standard input ends. */
TRACKED int hold(int value)
{
    char byte;

    CHECK(write(ready[1], "x", 1) == 1);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return value;
}

static void *hold_now(void *unused)
{
    hold(1);
    return unused;
}

static void *hold_when_told(void *unused)
{
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(write(ready[1], "x", 1) == 1);
    sigwait(&set, &number);
    for (int i = 0; i < 100; i++)
        work(i);
    hold(2);
    return unused;
}

/* Of proc_pid_stat(5). */
static char state_of(pid_t pid)
{
    char path[64];
    char state = '?';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (file)
        fclose(file);
    return state;
}

/* In a child; SIGUSR1 is blocked. Says when the thread is where it is to be. */
static pid_t start(void *(*routine)(void *))
{
    pthread_t thread;
    sigset_t set;
    char byte;
    pid_t pid;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK(pipe(ready) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        work(0);
        pthread_create(&thread, NULL, routine, NULL);
        pthread_exit(NULL);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    while (state_of(pid) != 'Z')
        ;
    return pid;
}

static void in_call(void)
{
    start(hold_now);
    printf("truth work success=1\ntruth hold active=1\n");
}

/* In a PID namespace of its own, if there are some: its threads cannot be asked for. */
static void in_call_elsewhere(void)
{
    unshare(CLONE_NEWPID);
    in_call();
}

/* The suite tells the child when to begin, behind a scrape. */
static void begins(void)
{
    char byte;

    printf("truth work success=101\ntruth hold active=1\n");
    printf("child %d\n", (int)start(hold_when_told));
    fflush(stdout);
    CHECK(read(ready[0], &byte, 1) == 1);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"in-call", in_call}, {"in-call-elsewhere", in_call_elsewhere}, {"begins", begins}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
