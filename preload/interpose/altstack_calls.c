/* sigaltstack(2), which the preload object stands in for: a thread whose alternate stack is one of ours has none as far
 * as the program knows. A runtime that finds one takes it for somebody's who needs it, and sets none of its own. */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

#include "preload/interpose/interpose.h"
#include "preload/threads/altstack.h"

static int (*real_sigaltstack)(const stack_t *, stack_t *);

void altstack_calls_resolve(void)
{
    *(void **)&real_sigaltstack = dlsym(RTLD_NEXT, "sigaltstack");
}

INTERPOSE(int, sigaltstack)(const stack_t *restrict stack, stack_t *restrict old)
{
    int result;

    if (!real_sigaltstack)
        altstack_calls_resolve();
    result = real_sigaltstack(stack, old);
    if (result == 0 && old)
        altstack_hide(old);
    return result;
}
