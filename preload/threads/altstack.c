#include "preload/threads/altstack.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"

enum {
    GUARD_BYTES = 4096,
    /* A handler of the program's that asks for an alternate stack finds this one, where it would have had all of the
     * thread's stack. Room is address space only; where that is limited, there is less. */
    STACK_BYTES = 1024 * 1024,
    STACK_BYTES_LIMITED = 64 * 1024,
    FRAMES = 4,        /* or as many signals' frames, where those are large */
    STACKS_MAX = 1024, /* each is two of the mappings that a process may have (vm.max_map_count) */
};

static size_t stack_bytes;    /* 0: none are given */
static uintptr_t first_stack; /* of the program's first thread */
static _Atomic unsigned stacks_given;

void altstack_init(size_t frame_bytes)
{
    size_t bytes = frame_bytes * FRAMES;
    size_t least = STACK_BYTES;
    struct rlimit limit;

    if (cpu_syscall(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0) == 0 && limit.rlim_cur != RLIM_INFINITY)
        least = STACK_BYTES_LIMITED;
    stack_bytes = ((bytes > least ? bytes : least) + 4095) & ~(size_t)4095;
    altstack_attach(&first_stack);
}

bool altstack_is_own(const stack_t *stack)
{
    uintptr_t top = (uintptr_t)stack->ss_sp + stack->ss_size;

    return stack_bytes != 0 && stack->ss_size == stack_bytes &&
           (top == hot_thread.lane->altstack || top == first_stack);
}

bool altstack_hide(stack_t *stack)
{
    if (!altstack_is_own(stack))
        return false;
    *stack = (stack_t){.ss_flags = SS_DISABLE};
    return true;
}

/* Services are often denied systemd's @memlock. The first one to ask does so at the start, when prctl is not what a
 * filter forbids. */
static bool may_unlock(void)
{
    static _Atomic int answer; /* 0: not known; 1: no; 2: yes */

    if (answer == 0)
        answer = cpu_syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) > 0 ? 1 : 2;
    return answer == 2;
}

uintptr_t altstack_map(size_t bytes)
{
    long low = cpu_syscall(SYS_mmap, 0, (long)(bytes + GUARD_BYTES), PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (low < 0 && low > -4096)
        return 0;
    /* A program that locks all its memory (mlockall) would have it resident. */
    if (may_unlock())
        cpu_syscall(SYS_munlock, low, (long)(bytes + GUARD_BYTES), 0, 0, 0, 0);
    if (cpu_syscall(SYS_mprotect, low + GUARD_BYTES, (long)bytes, PROT_READ | PROT_WRITE, 0, 0, 0) != 0) {
        cpu_syscall(SYS_munmap, low, (long)(bytes + GUARD_BYTES), 0, 0, 0, 0);
        return 0;
    }
    return (uintptr_t)low + GUARD_BYTES + bytes;
}

void altstack_unmap(uintptr_t top, size_t bytes)
{
    cpu_syscall(SYS_munmap, (long)(top - bytes - GUARD_BYTES), (long)(bytes + GUARD_BYTES), 0, 0, 0, 0);
}

void altstack_attach(uintptr_t *stack)
{
    stack_t own;

    if (stack_bytes == 0 || cpu_syscall(SYS_sigaltstack, 0, (long)&own, 0, 0, 0, 0) != 0 || own.ss_flags != SS_DISABLE)
        return;
    if (*stack == 0 && atomic_fetch_add(&stacks_given, 1) < STACKS_MAX)
        *stack = altstack_map(stack_bytes);
    if (*stack == 0)
        return;
    own.ss_sp = (void *)(*stack - stack_bytes);
    own.ss_size = stack_bytes;
    own.ss_flags = 0;
    cpu_syscall(SYS_sigaltstack, (long)&own, 0, 0, 0, 0, 0);
}
