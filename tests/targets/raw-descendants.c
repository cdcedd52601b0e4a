/* Children of system calls of the program's own, which only their own descendants' calls tell of; a child of vfork
 * among them, which has its parent's memory; and the first process of a PID namespace, which has no parent there. */
#include "victim.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    WORKS = 1000
};

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

static long raw_clone(unsigned long flags)
{
    return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

static void wait_for(long child)
{
    int status = -1;

    CHECK(child > 0 && waitpid((pid_t)child, &status, 0) == child && status == 0);
}

/* The one in between makes no tracked call. */
static void grandchild(void)
{
    long child = raw_clone(0);

    if (child == 0) {
        long other = raw_clone(0);

        if (other == 0)
            work_much();
        else
            wait_for(other);
        _exit(victim_failures);
    }
    wait_for(child);
    work_much();
    printf("truth work success=%d\n", 2 * WORKS);
}

static void vforked(void)
{
    long child = raw_clone(0);

    if (child == 0) {
        pid_t other = vfork();

        if (other == 0) {
            work_much();
            _exit(0);
        }
        work_much();
        wait_for(other);
        _exit(victim_failures);
    }
    wait_for(child);
    work_much();
    printf("truth work success=*\n"); /* those of vfork's child are counted, and not timed */
    printf("calls work %d\n", 3 * WORKS);
}

/* Where namespaces are not to be had, an ordinary one. */
static void namespace(void)
{
    long child = raw_clone(CLONE_NEWUSER | CLONE_NEWPID);

    if (child < 0)
        child = raw_clone(0);
    if (child == 0) {
        work_much();
        _exit(0);
    }
    wait_for(child);
    printf("truth work success=%d\n", WORKS);
}

static int on_zeros(void *unused)
{
    (void)unused;
    work_much();
    _exit(0);
}

/* As the sandbox of a browser does it: like vfork, with zeros for thread-local storage. */
static void zeroed_storage(void)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    static char storage[1 << 16] __attribute__((aligned(16)));
    int child = clone(on_zeros, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_SETTLS | SIGCHLD, NULL, NULL,
                      storage + sizeof(storage) / 2, NULL);

    wait_for(child);
    work_much();
    printf("truth work success=*\n"); /* the child's are counted, and not timed */
    printf("calls work %d\n", 2 * WORKS);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"grandchild", grandchild},         {"vforked", vforked}, {"namespace", namespace},
        {"zeroed-storage", zeroed_storage}, {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
