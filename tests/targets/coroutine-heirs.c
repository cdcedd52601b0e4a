/* Coroutines whose threads are gone: others carry them on, after many more threads have come, left calls unfinished and
 * gone. */
#include "victim.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    COROUTINES = 300,
    OTHERS = 3000,
    STACK_BYTES = 32768,
};

struct coroutine {
    ucontext_t own;
    ucontext_t back; /* to whoever carries it on */
    int result;
};

static struct coroutine coroutines[COROUTINES];

TRACKED int sleep_inside(int number)
{
    int result = number * 2;

    swapcontext(&coroutines[number].own, &coroutines[number].back);
    TOUCH();
    return result + 1;
}

TRACKED int sleep_deep(int depth, int number)
{
    int result = depth == 0 ? sleep_inside(number) : sleep_deep(depth - 1, number);

    TOUCH();
    return result;
}

TRACKED int leave_raw(int depth)
{
    int result = depth;

    TOUCH();
    if (depth == 0)
        syscall(SYS_exit, 0);
    else
        result = leave_raw(depth - 1);
    TOUCH();
    return result;
}

static void run_coroutine(int number)
{
    coroutines[number].result = sleep_deep(number % 3, number);
    setcontext(&coroutines[number].back);
}

/* Half of the threads end as threads do. */
static void *start_coroutine(void *argument)
{
    int number = (int)(intptr_t)argument;

    swapcontext(&coroutines[number].back, &coroutines[number].own);
    if (number % 2)
        leave_raw(1);
    return NULL;
}

static void *start_leave_raw(void *argument)
{
    leave_raw(3);
    return argument;
}

static void run_thread(void *(*routine)(void *), int number)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, routine, (void *)(intptr_t)number) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void all(void)
{
    int deep = 0;

    for (int i = 0; i < COROUTINES; i++) {
        getcontext(&coroutines[i].own);
        coroutines[i].own.uc_stack.ss_sp = malloc(STACK_BYTES);
        coroutines[i].own.uc_stack.ss_size = STACK_BYTES;
        makecontext(&coroutines[i].own, (void (*)(void))run_coroutine, 1, i);
        run_thread(start_coroutine, i);
        deep += i % 3 + 1;
    }
    for (int i = 0; i < OTHERS; i++)
        run_thread(start_leave_raw, 0);
    for (int i = 0; i < COROUTINES; i++) {
        swapcontext(&coroutines[i].back, &coroutines[i].own);
        CHECK(coroutines[i].result == i * 2 + 1);
    }
    printf("truth sleep_inside success=%d\n", COROUTINES);
    printf("truth sleep_deep success=%d\n", deep);
    printf("truth leave_raw abandoned=%d\n", OTHERS * 4 + COROUTINES / 2 * 2);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", all}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
