#include "preload/signals/sender.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

static siginfo_t passed_on[KERNEL_SIGNALS]; /* by our own thread: who had sent it */
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

/* A signal for the process may pick our thread when all others block it. It is sent again, and waits for them. */
void sender_pass_on(int signal, const siginfo_t *info, ucontext_t *context)
{
    own_mask_block_all(NULL);
    *(uint64_t *)&context->uc_sigmask |= SIGNAL_BIT(signal);
    if (info->si_code == SI_TKILL) /* for this thread alone */
        return;
    if (cpu_syscall(SYS_rt_sigqueueinfo, cpu_own_pid(), signal, (long)info, 0, 0, 0) == 0 || info->si_code != SI_USER)
        return;
    passed_on[signal] = *info;
    atomic_fetch_or(&is_passed_on, SIGNAL_BIT(signal));
    cpu_syscall(SYS_kill, cpu_own_pid(), signal, 0, 0, 0, 0);
}
