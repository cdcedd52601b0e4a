/* longjmp within a coroutine's own stack, over tracked calls, while others are suspended within tracked calls: on a
 * stack from malloc, and on one that lies in a frame of main's stack. */
#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include "victim.h"

enum {
    ROUNDS = 10000,
    ROUNDS_A_SWITCH = 100,
    DEPTHS = 7,
    STACK_BYTES = 65536,
};

static jmp_buf target;
static ucontext_t main_context;
static ucontext_t coroutine;
static long left_behind;
static long resumed;
static volatile int is_stopped; /* never: for the compiler, which would see a recursion without end */

TRACKED int descend(int depth)
{
    int result;

    left_behind++;
    if (is_stopped)
        return 0;
    if (depth == 0)
        longjmp(target, 1);
    result = descend(depth - 1);
    TOUCH();
    return result + 1;
}

TRACKED int attempt(int depth)
{
    if (setjmp(target))
        return -1;
    return descend(depth);
}

TRACKED void run_rounds(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(attempt(i % DEPTHS) == -1);
        if (i % ROUNDS_A_SWITCH == 0)
            swapcontext(&coroutine, &main_context);
    }
}

TRACKED void resume(void)
{
    resumed++;
    swapcontext(&main_context, &coroutine);
    TOUCH();
}

static void run_on(char *stack)
{
    CHECK(getcontext(&coroutine) == 0);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    coroutine.uc_link = &main_context;
    makecontext(&coroutine, run_rounds, 0);
    for (int i = 0; i <= ROUNDS / ROUNDS_A_SWITCH; i++)
        resume();
    printf("truth descend abandoned=%ld\n", left_behind);
    printf("truth attempt success=%d\n", ROUNDS);
    printf("truth run_rounds success=1\n");
    printf("truth resume success=%ld\n", resumed);
}

static void on_heap(void)
{
    char *stack = malloc(STACK_BYTES);

    run_on(stack);
    free(stack);
}

static void in_frame(void)
{
    char stack[STACK_BYTES];

    run_on(stack);
}

/* Another coroutine, whose stack lies below in the same memory, sleeps within a tracked call for good. */
TRACKED void sleep_there(void)
{
    TOUCH();
    swapcontext(&coroutine, &main_context);
    TOUCH();
}

static void beside_a_sleeper(void)
{
    char *stacks = malloc((size_t)2 * STACK_BYTES);

    CHECK(stacks && getcontext(&coroutine) == 0);
    coroutine.uc_stack.ss_sp = stacks;
    coroutine.uc_stack.ss_size = STACK_BYTES;
    makecontext(&coroutine, sleep_there, 0);
    CHECK(swapcontext(&main_context, &coroutine) == 0);
    run_on(stacks + STACK_BYTES);
    printf("truth sleep_there active=1\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"on-heap", on_heap},
        {"in-frame", in_frame},
        {"beside-a-sleeper", beside_a_sleeper},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
