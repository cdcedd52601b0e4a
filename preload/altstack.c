#include "preload/altstack.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/lane.h"
#include "preload/x86_64/cpu.h"

enum {
    GUARD_BYTES = 4096,
    STACK_BYTES = 64 * 1024, /* room for a handler of the program's, which may find it there and use it */
    FRAMES = 4,              /* or as many signals' frames, where those are large */
};

static size_t stack_bytes;    /* 0: none are given */
static uintptr_t first_stack; /* of the program's first thread */

void altstack_init(size_t frame_bytes)
{
    size_t bytes = frame_bytes * FRAMES;

    stack_bytes = ((bytes > STACK_BYTES ? bytes : STACK_BYTES) + 4095) & ~(size_t)4095;
    altstack_attach(&first_stack);
}

bool altstack_is_own(const stack_t *stack)
{
    uintptr_t top = (uintptr_t)stack->ss_sp + stack->ss_size;

    return stack_bytes != 0 && stack->ss_size == stack_bytes &&
           (top == hot_thread.lane->altstack || top == first_stack);
}

uintptr_t altstack_map(size_t bytes)
{
    long low = cpu_syscall(SYS_mmap, 0, (long)(bytes + GUARD_BYTES), PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (low < 0 && low > -4096)
        return 0;
    if (cpu_syscall(SYS_mprotect, low + GUARD_BYTES, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0) != 0) {
        cpu_syscall(SYS_munmap, low, (long)(bytes + GUARD_BYTES), 0, 0, 0, 0);
        return 0;
    }
    return (uintptr_t)low + GUARD_BYTES + bytes;
}

void altstack_attach(uintptr_t *stack)
{
    stack_t own;

    if (stack_bytes == 0 || cpu_syscall(SYS_sigaltstack, 0, (long)&own, 0, 0, 0, 0) != 0 || own.ss_flags != SS_DISABLE)
        return;
    if (*stack == 0)
        *stack = altstack_map(stack_bytes);
    if (*stack == 0)
        return;
    own.ss_sp = (void *)(*stack - stack_bytes);
    own.ss_size = stack_bytes;
    own.ss_flags = 0;
    cpu_syscall(SYS_sigaltstack, (long)&own, 0, 0, 0, 0, 0);
}
