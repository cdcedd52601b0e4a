#include "preload/signals/masks.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/lane.h"
#include "preload/signals/cramped.h"
#include "preload/signals/sender.h"
#include "preload/threads/attach.h"

_Static_assert(offsetof(struct signals_thread, hidden) == MASKS_HIDDEN, "thread");

static _Atomic uint64_t claimed;

void masks_claim(int signal)
{
    atomic_fetch_or(&claimed, SIGNAL_BIT(signal) & SIGNALS_RAISED_IN_PLACE);
}

void masks_claim_all(uint64_t signals)
{
    atomic_store(&claimed, signals & SIGNALS_RAISED_IN_PLACE);
}

/* A handler may come in between: it leaves what it does not open as it was. */
static void hide(uint64_t signals)
{
    __atomic_fetch_or(&signals_thread.hidden, signals, __ATOMIC_RELAXED);
}

static void show(uint64_t signals)
{
    __atomic_fetch_and(&signals_thread.hidden, ~signals, __ATOMIC_RELAXED);
}

uint64_t masks_begin(ucontext_t *context, uint64_t blocked)
{
    uint64_t *interrupted = (uint64_t *)&context->uc_sigmask;
    uint64_t before = signals_thread.hidden;
    uint64_t set;
    uint64_t old = 0;

    *interrupted |= before;
    set = (*interrupted | blocked) & atomic_load(&claimed) & ~before;
    if (cramped_is_at(&context->uc_stack, (uintptr_t)__builtin_frame_address(0)))
        set &= SIGNAL_BIT(SIGSEGV); /* which is what the kernel makes of a signal without room for its frame */
    if (set == 0)
        return before;
    hide(set); /* first: what is pending comes as soon as it is open */
    own_mask_change(SIG_UNBLOCK, &set, &old);
    show(set & ~old); /* the action was changed after the kernel had looked at it */
    return before;
}

void masks_end(ucontext_t *context, uint64_t before)
{
    uint64_t *mask = (uint64_t *)&context->uc_sigmask;
    uint64_t still = before & *mask;

    *mask &= ~still;
    signals_thread.hidden = still;
}

/* A signal for the process may be another thread's. It stays hidden: work of callmeter's own that was interrupted puts
 * the kernel's mask back as it was, and the signal comes once more, to be blocked again. */
void masks_postpone(int signal, const siginfo_t *info, ucontext_t *context)
{
    uint64_t bit = SIGNAL_BIT(signal);

    own_mask_change(SIG_BLOCK, &bit, NULL);
    *(uint64_t *)&context->uc_sigmask |= bit;
    if (info->si_code == SI_TKILL)
        cpu_syscall(SYS_rt_tgsigqueueinfo, cpu_own_pid(), cpu_own_tid(), signal, (long)info, 0, 0);
    else
        sender_send_again(signal, info);
}

/* In a child of vfork what is hidden is its parent's, but the mask is its own: it is told once. */
static void settle_child(uint64_t hidden)
{
    int pid = cpu_own_pid();

    if (signals_thread.settled_child == pid)
        return;
    signals_thread.settled_child = pid;
    own_mask_change(SIG_BLOCK, &hidden, NULL);
}

/* Callmeter's own work on the thread puts the kernel's mask back by itself. */
void masks_settle(void)
{
    uint64_t hidden = signals_thread.hidden;

    if (!hidden || hot_thread.lane == &lane_ours)
        return;
    if (lane_is_borrowed()) {
        settle_child(hidden);
        return;
    }
    own_mask_change(SIG_BLOCK, &hidden, NULL);
    show(hidden);
}

/* What the kernel has blocked, it keeps: it may be pending. */
uint64_t masks_change(int how, uint64_t *set)
{
    uint64_t before = signals_thread.hidden;
    uint64_t kernel = 0;
    uint64_t next;

    own_mask_change(SIG_BLOCK, NULL, &kernel);
    if (how == SIG_UNBLOCK)
        next = before & ~*set;
    else
        next = ((how == SIG_BLOCK ? before : 0) | (*set & atomic_load(&claimed))) & ~kernel;
    signals_thread.hidden = next;
    if (how != SIG_UNBLOCK)
        *set &= ~next;
    return before;
}
