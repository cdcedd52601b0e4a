#include "preload/signals/sender.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

static siginfo_t passed_on[KERNEL_SIGNALS]; /* sent again: who had sent it */
static _Atomic uint64_t is_passed_on;

void sender_restore(siginfo_t *info)
{
    uint64_t bit = SIGNAL_BIT(info->si_signo);

    if (info->si_code == SI_USER && (atomic_load(&is_passed_on) & bit) && info->si_pid == cpu_own_pid() &&
        (atomic_fetch_and(&is_passed_on, ~bit) & bit))
        *info = passed_on[info->si_signo];
}

bool sender_is_outside(const siginfo_t *info)
{
    return (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE) &&
           info->si_pid != cpu_own_pid();
}

/* The kernel lets only a process's first thread queue what a kill(2) has sent: for any other it is sent anew, and who
 * had sent it is kept. */
void sender_send_again(int signal, const siginfo_t *info)
{
    if (cpu_syscall(SYS_rt_sigqueueinfo, cpu_own_pid(), signal, (long)info, 0, 0, 0) == 0 || info->si_code != SI_USER)
        return;
    if (forbidden_is(SYS_kill))
        return;
    passed_on[signal] = *info;
    atomic_fetch_or(&is_passed_on, SIGNAL_BIT(signal));
    cpu_syscall(SYS_kill, cpu_own_pid(), signal, 0, 0, 0, 0);
}
