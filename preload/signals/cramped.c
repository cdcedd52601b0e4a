#include "preload/signals/cramped.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"
#include "preload/threads/altstack.h"

enum {
    SPARE_BYTES = 2048, /* what handler and callmeter need besides the kernel's frame */
    ROOM_BYTES = 64 * 1024,
    NESTED_BYTES = 64 * 1024,
};

struct call {
    void (*function)(void *);
    void *context;
    uintptr_t top; /* above it is the stack of signals that come meanwhile */
    uint64_t mask;
};

static size_t needed_bytes; /* 0: nothing is claimed */

void cramped_init(size_t frame_bytes)
{
    needed_bytes = frame_bytes + SPARE_BYTES;
}

bool cramped_is_at(const stack_t *stack, uintptr_t sp)
{
    uintptr_t room = sp - (uintptr_t)stack->ss_sp;

    return room < stack->ss_size && room < needed_bytes;
}

bool cramped_is(void)
{
    stack_t stack;

    return needed_bytes != 0 && cpu_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0) == 0 &&
           cramped_is_at(&stack, (uintptr_t)__builtin_frame_address(0));
}

/* The kernel would put the next signal's frame over what lies on the program's stack, where the thread is not any more.
 */
static void call_between(void *context)
{
    struct call *call = context;
    stack_t nested = {.ss_sp = (void *)call->top, .ss_size = NESTED_BYTES};
    stack_t programs;

    cpu_syscall(SYS_sigaltstack, (long)&nested, (long)&programs, 0, 0, 0, 0);
    own_mask_restore(&call->mask);
    call->function(call->context);
    own_mask_block(&call->mask);
    cpu_syscall(SYS_sigaltstack, (long)&programs, 0, 0, 0, 0, 0);
}

void cramped_call(void (*function)(void *), void *context)
{
    struct call call = {.function = function, .context = context};
    uintptr_t end = cramped_is() ? altstack_map(ROOM_BYTES + NESTED_BYTES) : 0;

    if (end == 0) {
        function(context);
        return;
    }
    call.top = end - NESTED_BYTES;
    own_mask_block(&call.mask);
    cpu_call_on_stack(call_between, &call, (void *)call.top);
    own_mask_restore(&call.mask);
    altstack_unmap(end, ROOM_BYTES + NESTED_BYTES);
}
