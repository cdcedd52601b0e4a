/* Coroutines that never end, on stacks that the program gives back to the kernel. To be run with `ulimit -s unlimited`:
 * the heap then lies right below the first thread's stack, so that what grows there looks like a part of it. Whoever
 * asks later whether those calls are dead must not read their stacks. */
#include <malloc.h>
#include <stdlib.h>
#include <ucontext.h>

#include "victim.h"

enum {
    COROUTINES = 100,
    STACK_BYTES = 65536
};

static ucontext_t here, coroutine;
static void *jump_buffer[5];

TRACKED void yield(void)
{
    TOUCH();
    swapcontext(&coroutine, &here);
    TOUCH();
}

TRACKED void resume(void)
{
    TOUCH();
    swapcontext(&here, &coroutine);
    TOUCH();
}

TRACKED void jump(void)
{
    TOUCH();
    __builtin_longjmp(jump_buffer, 1);
}

TRACKED long deep(long depth)
{
    long below;

    TOUCH();
    below = depth > 0 ? deep(depth - 1) : 0;
    TOUCH();
    return below + 1;
}

static void body(void)
{
    for (;;)
        yield();
}

/* From here on it is known where the thread's own stack is. */
static __attribute__((noinline)) void leave_a_call(void)
{
    if (__builtin_setjmp(jump_buffer) == 0)
        jump();
}

int main(void)
{
    static void *stacks[COROUTINES];

    leave_a_call();
    leave_a_call();
    for (int i = 0; i < COROUTINES; i++) {
        stacks[i] = malloc(STACK_BYTES);
        if (!stacks[i])
            return 1;
        getcontext(&coroutine);
        coroutine.uc_stack.ss_sp = stacks[i];
        coroutine.uc_stack.ss_size = STACK_BYTES;
        coroutine.uc_link = NULL;
        makecontext(&coroutine, body, 0);
        resume();
        resume();
    }
    for (int i = 0; i < COROUTINES; i++)
        free(stacks[i]);
    malloc_trim(0);
    CHECK(deep(500) == 501);
    printf("truth resume success=%d\ntruth deep success=501\n", 2 * COROUTINES);
    return victim_finish();
}
