/* Preloaded behind the shim, so that its threads are there before the shim starts: some call functions while these are
 * patched, others fork all the time, and the children call them, too. When the program ends it says how that went. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

enum {
    CALLERS = 3,
    FORKERS = 4,
    CHILDREN_AT_FIRST = 8,
};

static atomic_bool is_to_stop;
static atomic_int children;
static atomic_int unwell;
static pthread_t threads[CALLERS + FORKERS];

/* Each begins with an instruction of one byte. */
#define BUSY(n)                                                                                                        \
    TRACKED int live_busy_##n(int value)                                                                               \
    {                                                                                                                  \
        __asm__ volatile("push %%rbp\n\tpop %%rbp" ::: "memory");                                                      \
        return getppid() < 0 ? n : value;                                                                              \
    }

BUSY(1)
BUSY(2)
BUSY(3)
BUSY(4)

static void call_all(void)
{
    live_busy_1(1);
    live_busy_2(2);
    live_busy_3(3);
    live_busy_4(4);
}

static void *keep_calling(void *unused)
{
    while (!is_to_stop)
        call_all();
    return unused;
}

static void *keep_forking(void *unused)
{
    while (!is_to_stop) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            for (int i = 0; i < 20; i++)
                call_all();
            _exit(0);
        }
        waitpid(child, &status, 0);
        unwell += status != 0;
        children++;
    }
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    for (int i = 0; i < CALLERS + FORKERS; i++)
        pthread_create(&threads[i], NULL, i < CALLERS ? keep_calling : keep_forking, NULL);
    while (children < CHILDREN_AT_FIRST)
        sched_yield();
}

__attribute__((destructor)) static void end(void)
{
    int seen = children;

    while (children < seen + CHILDREN_AT_FIRST)
        sched_yield();
    is_to_stop = true;
    for (int i = 0; i < CALLERS + FORKERS; i++)
        pthread_join(threads[i], NULL);
    printf("children that were not well: %d\n", unwell);
}
