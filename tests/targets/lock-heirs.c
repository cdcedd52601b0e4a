/* Forks while other threads are where callmeter has something locked or counted: in sigaction, dlopen, system, calls
 * with labels that are new, or a panic. Some of the children are in PID namespaces of their own, where their process id
 * is the same as their parent's: 1. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
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

/* Runs `act` in the first process of a namespace. Its status: 0 if no child hung there; -1: there are none here. */
static int in_namespace(int (*act)(void))
{
    int status = -1;
    pid_t pid;

    fflush(stdout);
    if (unshare(CLONE_NEWPID) != 0)
        return -1;
    pid = fork();
    if (pid == 0)
        _exit(act());
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void run_fork(void)
{
    int status;

    call_here();
    status = in_namespace(fork_children);
    printf("children that hung: %x\ntruth call_here success=1\n", (unsigned)status);
}

/* The loader ------------------------------------------------------------------------------------------------------- */

static void *load_again(void *context)
{
    while (!atomic_load(&is_over))
        dlclose(dlopen("libm.so.6", RTLD_LAZY));
    return context;
}

/* In a thread of its own: a thread's namespace for children can be changed once. */
static void *fork_loader(void *context)
{
    int *hung = context;
    pid_t pid;

    if (unshare(CLONE_NEWPID) != 0)
        return NULL;
    pid = fork();
    if (pid == 0)
        _exit(dlopen("libm.so.6", RTLD_LAZY) ? 0 : 1);
    *hung += pid < 0 || !has_ended(pid);
    return NULL;
}

/* The library is there for good, so that dlopen and dlclose count only. fork(3) resets the loader's lock. */
static int fork_loaders(void)
{
    pthread_t threads[THREADS];
    pthread_t forker;
    int hung = 0;

    if (!dlopen("libm.so.6", RTLD_LAZY))
        return 2;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, load_again, NULL);
    for (int i = 0; i < CHILDREN && hung == 0; i++) {
        pthread_create(&forker, NULL, fork_loader, &hung);
        pthread_join(forker, NULL);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return hung;
}

static void run_loader(void)
{
    int status;

    call_here();
    status = in_namespace(fork_loaders);
    printf("children that hung: %x\ntruth call_here success=1\n", (unsigned)status);
}

/* Spawning --------------------------------------------------------------------------------------------------------- */

TRACKED int fault_here(volatile int *place)
{
    TOUCH();
    *place = 1;
    TOUCH();
    return 0;
}

/* Its command says that it runs, and goes on until the pipe is closed. */
static void *spawn(void *context)
{
    const int *pipes = context;
    char command[64];

    snprintf(command, sizeof(command), "echo x >&%d; read y <&%d", pipes[1], pipes[2]);
    CHECK(system(command) >= 0);
    return NULL;
}

/* What is ignored must be ignored by commands too, and by one that another thread runs meanwhile; who faults dies of it
 * nevertheless, and that is a panic. */
static void run_spawning(void)
{
    int pipes[4];
    pthread_t thread;
    int status = 0;
    char byte;
    pid_t pid;

    CHECK(pipe(pipes) == 0 && pipe(pipes + 2) == 0 && pipes[3] <= 9);
    signal(SIGSEGV, SIG_IGN);
    pthread_create(&thread, NULL, spawn, pipes);
    CHECK(read(pipes[0], &byte, 1) == 1);
    fflush(stdout);
    signal(SIGBUS, SIG_IGN);
    CHECK(system("grep SigIgn /proc/self/status") == 0);
    pid = fork();
    if (pid == 0)
        _exit(fault_here((volatile int *)8));
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(write(pipes[3], "x\n", 2) == 2);
    pthread_join(thread, NULL);
    printf("truth fault_here panic=1\n");
}

/* A panic ---------------------------------------------------------------------------------------------------------- */

static void *fault(void *context)
{
    fault_here((volatile int *)8);
    return context;
}

/* Ends with the thread's panic; until then, while callmeter is at work on it or lingers, it forks. */
static void fork_beside_panic(atomic_int *faults)
{
    const struct timespec step = {.tv_nsec = 30000000};
    pthread_t thread;

    atomic_fetch_add(faults, 1);
    pthread_create(&thread, NULL, fault, NULL);
    for (;;) {
        if (fork() == 0) {
            atomic_fetch_add(faults, 1);
            _exit(fault_here((volatile int *)8));
        }
        nanosleep(&step, NULL);
    }
}

/* All are gone when nobody has the pipe any more. */
static void run_panic(void)
{
    atomic_int *faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct pollfd end = {.events = POLLIN};
    int pipes[2];
    int status = 0;
    pid_t pid;

    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        fork_beside_panic(faults);
    close(pipes[1]);
    end.fd = pipes[0];
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(poll(&end, 1, WAIT_MS) == 1);
    printf("truth fault_here panic=%d\n", atomic_load(faults));
}

static const struct victim_mode modes[] = {
    {"fork", run_fork}, {"loader", run_loader}, {"spawning", run_spawning}, {"panic", run_panic}, {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
