/* A signal's action as the kernel has it (rt_sigaction(2), the kernel's struct sigaction), read and set without libc.
 */
#ifndef CALLMETER_PRELOAD_MACHINE_KERNEL_ACTION_H
#define CALLMETER_PRELOAD_MACHINE_KERNEL_ACTION_H

#include <stdint.h>
#include <sys/syscall.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

#define KERNEL_SIGNALS       65         /* signals are 1 to 64 */
#define KERNEL_RESTORER_FLAG 0x04000000 /* SA_RESTORER, which libc sets in every action */

struct kernel_action {
    uintptr_t handler;
    uint64_t flags;
    uintptr_t restorer; /* where handlers return to */
    uint64_t mask;
};

/* Sets and gets it; each of both may be NULL. -errno. Context: hot, signal. */
static inline long kernel_action_change(int signal, const struct kernel_action *action, struct kernel_action *ret_old)
{
    return cpu_syscall(SYS_rt_sigaction, signal, (long)action, (long)ret_old, SIGNAL_MASK_BYTES, 0, 0);
}

#endif
