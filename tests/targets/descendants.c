/* Process trees: daemons, generations, prefork servers. Each process says `process PID` when its work is done, waits
 * for the end of the file that the second argument names (a FIFO), and ends. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    WORKS = 1000, /* of each process */
    WORKERS = 4,
    GENERATIONS = 5,
};

static const char *fifo;
static int opened = -1; /* the same, where it may not be possible later */
static int report = STDOUT_FILENO;

TRACKED int work(int value)
{
    TOUCH();
    return value * 3 + 1;
}

static void work_much(void)
{
    for (int i = 0; i < WORKS; i++)
        work(i);
}

/* Not by stdio, which a daemon may have closed. */
static void say(const char *word, long number)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "%s %ld\n", word, number);

    if (write(report, line, (size_t)length) != length)
        _exit(99);
}

static void say_truth(int processes)
{
    printf("truth work success=%d\n", processes * WORKS);
    fflush(stdout);
}

static void wait_for_end(void)
{
    int fd = opened >= 0 ? opened : open(fifo, O_RDONLY | O_CLOEXEC);
    char byte;

    say("process", getpid());
    while (read(fd, &byte, 1) > 0)
        ;
    close(fd);
}

static void live(void)
{
    work_much();
    wait_for_end();
    _exit(0);
}

/* All but the standard ones are made to be in the way; then each is closed, by its number, as old daemons do. */
static void close_all(void)
{
    for (int i = 0; i < 20; i++)
        (void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int fd = 0; fd < 1024; fd++)
        if (fd != report)
            close(fd);
}

static void double_fork(void)
{
    say_truth(1);
    report = dup(STDOUT_FILENO);
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    close_all();
    live();
}

static void library_daemon(void)
{
    say_truth(1);
    report = dup(STDOUT_FILENO);
    if (daemon(0, 0) != 0)
        _exit(1);
    live();
}

static void terminal(void)
{
    int master;

    say_truth(2);
    report = dup(STDOUT_FILENO);
    signal(SIGHUP, SIG_IGN);
    if (forkpty(&master, NULL, NULL, NULL) < 0)
        _exit(1);
    live();
}

static void parent_and_child(void)
{
    say_truth(2);
    if (fork() == 0)
        live();
    live();
}

/* The thread is gone before libc knows. */
TRACKED void leave(void)
{
    TOUCH();
    syscall(SYS_exit, 0);
}

static void *start_leave(void *unused)
{
    leave();
    return unused;
}

/* The parent, which came first, serves. */
static void child_loses_thread(void)
{
    pthread_t thread;

    puts("truth leave abandoned=1");
    say_truth(2);
    if (fork() == 0 && pthread_create(&thread, NULL, start_leave, NULL) != 0)
        _exit(99);
    live();
}

/* The child says so first; then the parent is another program. */
static void parent_execs(void)
{
    int ends[2];
    char byte;

    say_truth(2);
    if (pipe(ends) != 0)
        _exit(1);
    if (fork() == 0) {
        close(ends[0]);
        work_much();
        close(ends[1]);
        wait_for_end();
        _exit(0);
    }
    work_much();
    close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
    say("process", getpid());
    execl("/bin/cat", "cat", fifo, (char *)NULL);
    _exit(127);
}

/* Each has a child that begins when it is gone. */
static void generations(void)
{
    say_truth(GENERATIONS);
    for (int i = 1;; i++) {
        int ends[2];
        char byte;

        if (pipe(ends) != 0)
            _exit(1);
        if (i == GENERATIONS || fork() != 0)
            live();
        say("born", getpid());
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0)
            ;
        close(ends[0]);
    }
}

static void prefork(void)
{
    say_truth(WORKERS + 1);
    for (int i = 0; i < WORKERS; i++)
        if (fork() == 0)
            live();
    live();
}

/* The first children may do less than the last, and have waited longer. */
static void dropped_rights(void)
{
    say_truth(WORKERS + 1);
    opened = open(fifo, O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < WORKERS; i++) {
        int ends[2];
        char byte;

        if (pipe(ends) != 0)
            _exit(1);
        if (fork() == 0) {
            if (i < WORKERS - 1 && setuid(65534) != 0)
                _exit(1);
            close(ends[0]);
            close(ends[1]);
            live();
        }
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0)
            ;
        close(ends[0]);
    }
    live();
}

static void *sleep_long(void *unused)
{
    pause();
    return unused;
}

/* The child makes a thread when its parent is gone. */
static void threaded_parent(void)
{
    pthread_t thread;
    int ends[2];
    char byte;

    say_truth(2);
    if (pipe(ends) != 0 || pthread_create(&thread, NULL, sleep_long, NULL) != 0)
        _exit(1);
    if (fork() != 0)
        live();
    close(ends[1]);
    say("process", getpid());
    while (read(ends[0], &byte, 1) > 0)
        ;
    if (pthread_create(&thread, NULL, sleep_long, NULL) != 0)
        _exit(1);
    live();
}

/* Works for as long as it lives. */
static void busy_daemon(void)
{
    struct pollfd end = {.events = POLLIN};

    printf("truth work success=*\n");
    fflush(stdout);
    if (daemon(1, 1) != 0)
        _exit(1);
    end.fd = open(fifo, O_RDONLY | O_CLOEXEC);
    say("process", getpid());
    while (poll(&end, 1, 0) == 0)
        work_much();
    _exit(0);
}

/* Children that libc's fork knows nothing of. */
static void raw_forks(void)
{
    say_truth(4);
    if (syscall(SYS_fork) == 0)
        live();
    if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
        live();
    if (_Fork() == 0)
        live();
    live();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"double-fork", double_fork},
        {"daemon", library_daemon},
        {"terminal", terminal},
        {"parent-and-child", parent_and_child},
        {"child-loses-thread", child_loses_thread},
        {"parent-execs", parent_execs},
        {"generations", generations},
        {"prefork", prefork},
        {"dropped-rights", dropped_rights},
        {"threaded-parent", threaded_parent},
        {"busy-daemon", busy_daemon},
        {"raw-forks", raw_forks},
        {NULL, NULL},
    };

    fifo = argc > 2 ? argv[2] : "/dev/null";
    return victim_main(argc, argv, modes);
}
