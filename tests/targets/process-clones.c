/* Tasks that clone makes on the memory of their parent, without storage of their own: beside it, or while it waits. */
#include "victim.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
    TURNS = 200000,
    STEP = 500,
    STACK_BYTES = 65536
};

static atomic_int rounds[2]; /* of both tasks: they keep in step */

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

/* The n-th processor that there is, where there are so many: tasks on two of them run at the same time. */
static void run_on(int n)
{
    cpu_set_t all;
    cpu_set_t one;

    sched_getaffinity(0, sizeof(all), &all);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

static int work_in_step(int self)
{
    int bad = 0;

    run_on(self);
    for (int i = 0; i < TURNS; i++) {
        if (i % STEP == 0) {
            atomic_fetch_add(&rounds[self], 1);
            while (atomic_load(&rounds[!self]) < atomic_load(&rounds[self]))
                sched_yield();
        }
        bad += work(i) != i + 1;
    }
    return bad;
}

static int work_often(void *unused)
{
    (void)unused;
    return work_in_step(1);
}

static int work_once(void *unused)
{
    (void)unused;
    return work(1) != 2;
}

static pid_t clone_into(int (*function)(void *), int flags)
{
    char *stack = malloc(STACK_BYTES);

    return clone(function, stack + STACK_BYTES, flags | SIGCHLD, NULL);
}

static void wait_for(pid_t child)
{
    int status = 0;

    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TRACKED int around(int value)
{
    pid_t child = clone_into(work_often, CLONE_VM);

    CHECK(work_in_step(0) == 0);
    wait_for(child);
    return value;
}

/* Counted one by one, not timed. */
static void beside(void)
{
    work(0);
    CHECK(around(3) == 3);
    puts("truth work success=*");
    printf("calls work %d\n", 2 * TURNS + 1);
    puts("truth around success=1");
}

TRACKED int around_once(int value)
{
    wait_for(clone_into(work_once, CLONE_VM | CLONE_VFORK));
    return value;
}

static void instead(void)
{
    for (int i = 0; i < 50; i++)
        CHECK(around_once(i) == i);
    puts("truth work success=50");
    puts("truth around_once success=50");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"beside", beside},
        {"instead", instead},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
