/* The mask of signals, as the kernel has it, set without libc: around work of callmeter's own that a handler on the
 * same thread must not come into. */
#ifndef CALLMETER_PRELOAD_MACHINE_OWN_MASK_H
#define CALLMETER_PRELOAD_MACHINE_OWN_MASK_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"

#define SIGNAL_BIT(number) (UINT64_C(1) << ((number)-1))
#define SIGNAL_MASK_BYTES  8 /* of the kernel's sigset_t */

/* What an instruction or a system call raises itself kills where it is blocked: faults, single steps, a sandbox's
 * SIGSYS. */
#define SIGNALS_RAISED_IN_PLACE                                                                                        \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |        \
     SIGNAL_BIT(SIGSYS))

/* rt_sigprocmask(2) of the calling thread; each mask may be NULL. `how`: SIG_BLOCK, ... Context: hot, signal. */
static inline long own_mask_change(int how, const uint64_t *mask, uint64_t *ret_old)
{
    return cpu_syscall(SYS_rt_sigprocmask, how, (long)mask, (long)ret_old, SIGNAL_MASK_BYTES, 0, 0);
}

/* Blocks all signals but those that an instruction raises itself. Context: hot, signal. */
static inline void own_mask_block(uint64_t *ret_old)
{
    const uint64_t blocked = ~SIGNALS_RAISED_IN_PLACE;

    own_mask_change(SIG_BLOCK, &blocked, ret_old);
}

/* Blocks all: for what cannot fault. Context: hot, signal. */
static inline void own_mask_block_all(uint64_t *ret_old)
{
    const uint64_t all = UINT64_MAX;

    own_mask_change(SIG_SETMASK, &all, ret_old);
}

/* Takes back what one of the above did. Context: hot, signal. */
static inline void own_mask_restore(const uint64_t *old)
{
    own_mask_change(SIG_SETMASK, old, NULL);
}

#endif
