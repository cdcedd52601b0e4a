/* Threads that begin, end and are cancelled in and around tracked calls. */
#include "victim.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

static sem_t inside;
static atomic_int cleaned;
static atomic_bool go;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int leave(int value)
{
    TOUCH();
    if (value >= 0)
        pthread_exit((void *)(intptr_t)value);
    return value;
}

TRACKED int leave_deep(int depth, int value)
{
    int result;

    TOUCH();
    result = depth == 0 ? leave(value) : leave_deep(depth - 1, value);
    TOUCH();
    return result;
}

static void clean(void *unused)
{
    (void)unused;
    cleaned++;
    work(1);
}

TRACKED int leave_cleanly(int value)
{
    int result;

    pthread_cleanup_push(clean, NULL);
    result = leave(value);
    TOUCH();
    pthread_cleanup_pop(0);
    return result;
}

/* Waits in a cancellation point until it is cancelled. */
TRACKED int wait_forever(int value)
{
    sem_post(&inside);
    for (;;)
        pause();
    return value;
}

TRACKED int wait_deep(int value)
{
    int result;

    pthread_cleanup_push(clean, NULL);
    result = wait_forever(value);
    TOUCH();
    pthread_cleanup_pop(0);
    return result;
}

TRACKED int spin_forever(int value)
{
    sem_post(&inside);
    for (;;)
        TOUCH();
    return value;
}

static void *start_work(void *argument)
{
    for (int i = 0; i < 1000; i++)
        work(i);
    return argument;
}

static void *start_one_call(void *argument)
{
    work(1);
    return argument;
}

static void *start_when_told(void *argument)
{
    while (!go)
        ;
    return start_work(argument);
}

static void *start_leave(void *argument)
{
    leave_deep(10, (int)(intptr_t)argument);
    return NULL;
}

static void *start_leave_cleanly(void *argument)
{
    leave_cleanly((int)(intptr_t)argument);
    return NULL;
}

static void *start_wait(void *argument)
{
    wait_deep(1);
    return argument;
}

static void *start_spin(void *argument)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    spin_forever(1);
    return argument;
}

static pthread_t start(void *(*routine)(void *), int value)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, routine, (void *)(intptr_t)value) == 0);
    return thread;
}

static void *join(pthread_t thread)
{
    void *result = NULL;

    CHECK(pthread_join(thread, &result) == 0);
    return result;
}

/* Many short threads, one after the other and a few at a time. */
static void storm(void)
{
    enum {
        ROUNDS = 1500,
        TOGETHER = 4
    };
    pthread_t threads[TOGETHER];

    for (int i = 0; i < ROUNDS; i++) {
        for (int t = 0; t < TOGETHER; t++)
            threads[t] = start(start_one_call, t);
        for (int t = 0; t < TOGETHER; t++)
            CHECK(join(threads[t]) == (void *)(intptr_t)t);
    }
    printf("truth work success=%d\n", ROUNDS * TOGETHER);
}

static void together(void)
{
    enum {
        THREADS = 64
    };
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        threads[t] = start(start_when_told, t);
    go = 1;
    for (int t = 0; t < THREADS; t++)
        join(threads[t]);
    printf("truth work success=%d\n", THREADS * 1000);
}

static void exits(void)
{
    for (int i = 0; i < 200; i++)
        CHECK(join(start(start_leave, i)) == (void *)(intptr_t)i);
    printf("truth leave_deep abandoned=2200\n");
    printf("truth leave abandoned=200\n");
}

static void exits_cleanly(void)
{
    for (int i = 0; i < 200; i++)
        CHECK(join(start(start_leave_cleanly, i)) == (void *)(intptr_t)i);
    CHECK(cleaned == 200);
    printf("truth leave_cleanly abandoned=200\n");
    printf("truth leave abandoned=200\n");
    printf("truth work success=200\n");
}

static void cancel_each(void *(*routine)(void *), int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread = start(routine, i);

        sem_wait(&inside);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(join(thread) == PTHREAD_CANCELED);
    }
}

static void cancelled(void)
{
    cancel_each(start_wait, 200);
    CHECK(cleaned == 200);
    printf("truth wait_deep abandoned=200\n");
    printf("truth wait_forever abandoned=200\n");
    printf("truth work success=200\n");
}

static void cancelled_asynchronously(void)
{
    cancel_each(start_spin, 200);
    printf("truth spin_forever abandoned=200\n");
}

/* Stacks as small as they may be. */
static void small_stacks(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, 16384) == 0);
    for (int i = 0; i < 100; i++) {
        CHECK(pthread_create(&thread, &attributes, start_work, NULL) == 0);
        join(thread);
    }
    pthread_attr_destroy(&attributes);
    printf("truth work success=100000\n");
}

/* Threads that are in a tracked call right now, and stay there. */
static void in_progress(void)
{
    for (int i = 0; i < 5; i++) {
        start(start_wait, i);
        sem_wait(&inside);
    }
    printf("truth wait_deep active=5\n");
    printf("truth wait_forever active=5\n");
}

/* The program is over when its last own thread is, whatever threads callmeter has. */
static void main_leaves(void)
{
    start(start_work, 0);
    leave(0);
}

static void idle(void)
{
    work(1);
    printf("truth work success=1\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"storm", storm},
        {"together", together},
        {"exits", exits},
        {"exits-cleanly", exits_cleanly},
        {"cancelled", cancelled},
        {"cancelled-asynchronously", cancelled_asynchronously},
        {"small-stacks", small_stacks},
        {"in-progress", in_progress},
        {"main-leaves", main_leaves},
        {"idle", idle},
        {NULL, NULL},
    };

    sem_init(&inside, 0, 0);
    return victim_main(argc, argv, modes);
}
