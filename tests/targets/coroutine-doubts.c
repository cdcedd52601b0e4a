/* Coroutines of which nobody can tell whether they are dead: suspended in tracked calls, on stacks within that of the
 * thread, below calls that the thread makes afterwards; or on memory that is given up. Those that come back, in greater
 * number than is kept in doubt, come back right; those that do not are forgotten in bounded memory. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "resident.h"
#include "victim.h"

#define PLACE(number) (area + (size_t)(number)*STACK_BYTES)

enum {
    COROUTINES = 3000, /* with DEPTH calls each; 63 * 64 are kept in doubt */
    DEPTH = 3,
    PLACES = 64,
    PLACES_AGAIN = 8, /* whose calls lie close enough together that a later one from the same place is seen */
    ROUNDS = 60000,
    SETTLED = 6000,
    GONE_ROUNDS = 3000,
    GONE_SETTLED = 600,
    GONE_DEPTH = 30,
    STACK_BYTES = 16384,
    THREAD_BYTES = 1 << 20,
};

struct coroutine {
    ucontext_t own;
    int result;
};

static struct coroutine *coroutines; /* COROUTINES */
static ucontext_t thread;
static char *area; /* of all stacks, the thread's on top */
static size_t area_bytes;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

__attribute__((noinline)) static void suspend(int number)
{
    swapcontext(&coroutines[number].own, &thread);
    TOUCH();
}

TRACKED int hold(int number, int depth)
{
    int result;

    if (depth > 1) {
        result = hold(number, depth - 1);
        TOUCH();
        return result + 1;
    }
    suspend(number);
    return number;
}

TRACKED int rest(int number)
{
    suspend(number);
    return number + 1;
}

/* Its place on the stack is the tail call's, which sleeps on there. */
TRACKED int hold_before_rest(int number)
{
    suspend(number);
    return rest(number);
}

static void run_hold(int number, int depth)
{
    coroutines[number].result = hold(number, depth);
    setcontext(&thread);
}

static void run_hold_before_rest(int number, int unused)
{
    (void)unused;
    coroutines[number].result = hold_before_rest(number);
    setcontext(&thread);
}

static void resume(int number)
{
    swapcontext(&thread, &coroutines[number].own);
}

static void start(int number, char *stack, void (*run)(int, int), int depth)
{
    getcontext(&coroutines[number].own);
    coroutines[number].own.uc_stack.ss_sp = stack;
    coroutines[number].own.uc_stack.ss_size = STACK_BYTES;
    makecontext(&coroutines[number].own, (void (*)(void))run, 2, number, depth);
    resume(number);
}

/* A thread whose stack is the upper end of the area: to whoever looks at the mappings, all of it is its stack. */
static void run_on_area(size_t places, void *(*routine)(void *))
{
    pthread_attr_t attributes;
    pthread_t runner;

    area_bytes = places * STACK_BYTES + THREAD_BYTES;
    area = mmap(NULL, area_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(area != MAP_FAILED);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, area + area_bytes - THREAD_BYTES, THREAD_BYTES) == 0);
    CHECK(pthread_create(&runner, &attributes, routine, NULL) == 0);
    CHECK(pthread_join(runner, NULL) == 0);
    pthread_attr_destroy(&attributes);
}

/* All come back ---------------------------------------------------------------------------------------------------- */

static void *hold_and_return(void *unused)
{
    for (int i = 0; i < COROUTINES; i++) {
        start(i, PLACE(i), run_hold, DEPTH);
        CHECK(work(i) == i + 1); /* from above: what sleeps below it looks as if it had been left */
    }
    for (int i = 0; i < COROUTINES; i++) {
        resume((i * 7) % COROUTINES);
        CHECK(work(i) == i + 1);
    }
    for (int i = 0; i < COROUTINES; i++)
        CHECK(coroutines[i].result == i + DEPTH - 1);
    return unused;
}

static void come_back(void)
{
    run_on_area(COROUTINES, hold_and_return);
    printf("truth hold success=%d\n", DEPTH * COROUTINES);
    printf("truth work success=%d\n", 2 * COROUTINES);
}

static void *hold_and_rest(void *unused)
{
    for (int i = 0; i < COROUTINES; i++) {
        start(i, PLACE(i), run_hold_before_rest, 0);
        work(i);
        resume(i); /* to sleep in the tail call */
        work(i);
    }
    for (int i = 0; i < COROUTINES; i++) {
        resume(COROUTINES - 1 - i);
        work(i);
    }
    for (int i = 0; i < COROUTINES; i++)
        CHECK(coroutines[i].result == i + 1);
    return unused;
}

static void come_back_by_tail(void)
{
    run_on_area(COROUTINES, hold_and_rest);
    printf("truth hold_before_rest success=%d\n", COROUTINES);
    printf("truth rest success=%d\n", COROUTINES);
    printf("truth work success=%d\n", 3 * COROUTINES);
}

/* None comes back -------------------------------------------------------------------------------------------------- */

static void *hold_and_forget(void *unused)
{
    long settled_kb = 0;

    for (int i = 0; i < ROUNDS; i++) {
        if (i == SETTLED)
            settled_kb = resident_kb();
        start(0, PLACE(i % PLACES_AGAIN), run_hold, DEPTH);
        work(i);
    }
    resident_check("coroutines whose stacks are used again", settled_kb, 2048);
    return unused;
}

static void forgotten(void)
{
    run_on_area(PLACES_AGAIN, hold_and_forget);
    printf("truth hold abandoned=%d\n", DEPTH * ROUNDS);
    printf("truth work success=%d\n", ROUNDS);
}

static void give_up(char *stack)
{
    CHECK(mmap(stack, STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == stack);
}

static void take_again(char *stack)
{
    CHECK(mprotect(stack, STACK_BYTES, PROT_READ | PROT_WRITE) == 0);
}

/* Not to be read either, once they are given up. */
static void *hold_and_give_up(void *unused)
{
    long settled_kb = 0;

    for (int i = 0; i < ROUNDS; i++) {
        char *stack = PLACE(i % PLACES);

        if (i == SETTLED)
            settled_kb = resident_kb();
        take_again(stack);
        start(i % PLACES, stack, run_hold, DEPTH);
        work(i);
        give_up(stack);
    }
    resident_check("coroutines whose stacks are given up", settled_kb, 2048);
    return unused;
}

static void given_up(void)
{
    run_on_area(PLACES, hold_and_give_up);
    printf("truth hold abandoned=%d\n", DEPTH * ROUNDS);
    printf("truth work success=%d\n", ROUNDS);
}

static void *start_one(void *stack)
{
    start(0, stack, run_hold, GONE_DEPTH);
    return NULL;
}

/* Their threads are gone before them; no place is used twice. */
static void given_up_by_threads(void)
{
    long settled_kb = 0;
    pthread_t runner;

    area = mmap(NULL, (size_t)GONE_ROUNDS * STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < GONE_ROUNDS; i++) {
        char *stack = PLACE(i);

        if (i == GONE_SETTLED)
            settled_kb = resident_kb();
        take_again(stack);
        CHECK(pthread_create(&runner, NULL, start_one, stack) == 0);
        CHECK(pthread_join(runner, NULL) == 0);
        give_up(stack);
    }
    resident_check("coroutines whose threads and stacks are gone", settled_kb, 2048);
    printf("truth hold abandoned=%d\n", GONE_DEPTH * GONE_ROUNDS);
}

/* Above ------------------------------------------------------------------------------------------------------------ */

static sem_t is_asleep;

static void run_above(int number, int unused)
{
    (void)unused;
    work(number);
    work(number);
    sem_post(&is_asleep);
    for (;;)
        pause();
}

/* Stays in the coroutine for good. */
TRACKED void stay_above(void)
{
    start(0, area + THREAD_BYTES, run_above, 0);
    TOUCH();
}

static void *enter_above(void *unused)
{
    work(1);
    stay_above();
    return unused;
}

/* The coroutine's stack follows that of the thread, in one mapping: a call there leaves none of the thread's. */
static void above(void)
{
    pthread_attr_t attributes;
    pthread_t runner;

    sem_init(&is_asleep, 0, 0);
    area = mmap(NULL, THREAD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, area, THREAD_BYTES) == 0);
    CHECK(pthread_create(&runner, &attributes, enter_above, NULL) == 0);
    while (sem_wait(&is_asleep) != 0)
        ;
    printf("truth stay_above active=1\ntruth work success=3\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"come-back", come_back},
        {"come-back-by-tail", come_back_by_tail},
        {"forgotten", forgotten},
        {"given-up", given_up},
        {"given-up-by-threads", given_up_by_threads},
        {"above", above},
        {NULL, NULL},
    };

    coroutines = calloc(COROUTINES, sizeof(*coroutines));
    return victim_main(argc, argv, modes);
}
