/* Threads that are cancelled asynchronously, between any two instructions of a tracked call and of its trampoline: each
 * cleanup handler must run, and the program must live. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "victim.h"

enum {
    THREADS = 1000,
    DEPTH = 100, /* calls in progress at the end: one that ended too often would be missing */
};

static int cleaned;
static volatile int is_looping;

static void finish_deep(long value);

TRACKED long leaf(long value)
{
    if (value < 0)
        finish_deep(value);
    TOUCH();
    return value + 1;
}

static int status;

static __attribute__((noinline)) void finish_deep(long value)
{
    if (value < -1)
        leaf(value + 1);
    else
        status = victim_finish();
}

static void clean(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *loop(void *unused)
{
    volatile long sum = 0;

    (void)unused;
    pthread_cleanup_push(clean, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    is_looping = 1;
    for (;;)
        sum = leaf(sum);
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < THREADS; i++) {
        struct timespec pause = {0, 1000 + i};
        pthread_t thread;

        is_looping = 0;
        if (pthread_create(&thread, NULL, loop, NULL) != 0)
            return 1;
        while (!is_looping)
            sched_yield();
        nanosleep(&pause, NULL);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    CHECK(cleaned == THREADS);
    printf("truth leaf success=* abandoned=* active=%d\n", DEPTH);
    leaf(-DEPTH);
    return status;
}
