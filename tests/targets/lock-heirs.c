/* Forks while other threads are in sigaction. The children are in PID namespaces of their own, where their process id
 * is the same as their parent's: 1. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "victim.h"

enum {
    THREADS = 4,
    CHILDREN = 300,
    WAIT_MS = 10000,
};

static atomic_bool is_over;

TRACKED void call_here(void)
{
    TOUCH();
}

static void handle(int number)
{
    (void)number;
}

static void set_action(void)
{
    struct sigaction action = {.sa_handler = handle};

    sigaction(SIGSEGV, &action, NULL);
}

static void *set_actions(void *context)
{
    while (!atomic_load(&is_over))
        set_action();
    return context;
}

/* true: it has ended by itself. */
static bool has_ended(pid_t pid)
{
    const struct timespec step = {.tv_nsec = 1000000};

    for (int i = 0; i < WAIT_MS; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return true;
        nanosleep(&step, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return false;
}

/* In the first process of a namespace. */
static int fork_children(void)
{
    pthread_t threads[THREADS];
    int hung = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, set_actions, NULL);
    for (int i = 0; i < CHILDREN && hung == 0; i++) {
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0) {
            set_action();
            syscall(SYS_exit_group, 0);
        }
        if (pid < 0 || !has_ended(pid))
            hung++;
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return hung;
}

static void run_fork(void)
{
    int status = -1;
    pid_t pid;

    call_here();
    if (unshare(CLONE_NEWPID) != 0) {
        printf("no namespaces here\ntruth call_here success=1\n");
        return;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(fork_children());
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf("children that hung: %x\ntruth call_here success=1\n", (unsigned)status);
}

static const struct victim_mode modes[] = {
    {"fork", run_fork},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
