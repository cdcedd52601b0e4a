/* The frame that the kernel makes for a signal's handler (arch/x86/kernel/signal_64.c, arch/x86/kernel/fpu/signal.c):
 *
 *   low   return address (the restorer) | ucontext | siginfo | ... | vector state   high */
#include "preload/machine/x86_64/cpu.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>

#define RED_ZONE_BYTES 128
#define LEGACY_BYTES   512
#define SOFTWARE_BYTES 464 /* where in the vector state the kernel says how long it is */
#define EXTENDED_MAGIC 0x46505853
#define PAGE           4096
#define ALIGNMENT      64

struct software_bytes {
    uint32_t magic;
    uint32_t extended_bytes; /* all of it */
};

/* The kernel stores there, if it can: the thread's mask, which the frame is written over. A stack that grows does so.
 */
static bool is_writable(uintptr_t address)
{
    return cpu_syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)address, sizeof(uint64_t), 0, 0) == 0;
}

static bool has_room(uintptr_t low, uintptr_t high)
{
    for (uintptr_t at = high - 8; at > low; at = at - PAGE > low && at > PAGE ? at - PAGE : low)
        if (!is_writable(at & ~(uintptr_t)7))
            return false;
    return is_writable(low);
}

uintptr_t cpu_move_signal_frame(const ucontext_t *context, uintptr_t sp)
{
    const struct software_bytes *software = (const void *)((const char *)context->uc_mcontext.fpregs + SOFTWARE_BYTES);
    uintptr_t begin = (uintptr_t)context - sizeof(uintptr_t);
    uintptr_t bytes = (uintptr_t)context->uc_mcontext.fpregs - begin +
                      (software->magic == EXTENDED_MAGIC ? software->extended_bytes : LEGACY_BYTES);
    uintptr_t to = sp - RED_ZONE_BYTES - bytes;
    uintptr_t distance;

    to -= (to - begin) % ALIGNMENT;
    distance = to - begin;
    if (!has_room(to, to + bytes))
        return 0;
    for (uintptr_t left = (bytes + 7) / 8; left > 0; left--) /* downwards, as a stack is used */
        ((uint64_t *)to)[left - 1] = ((const uint64_t *)begin)[left - 1];
    ((ucontext_t *)((uintptr_t)context + distance))->uc_mcontext.fpregs =
        (void *)((uintptr_t)context->uc_mcontext.fpregs + distance);
    return distance;
}
