/* What a handler of the program's has blocked. The kernel ends a program at once that faults while it has the fault's
 * signal blocked, and asks nobody. A handler that crashes by itself is such a program, as a rule: its signal is blocked
 * while it runs. So for as long as a handler runs that we called, the signals of faults that the program has blocked
 * are *hidden*: open in the kernel, blocked as far as the program knows.
 *
 *   a hidden fault comes           the program ends of it: panic_take_blocked
 *   another hidden signal comes    it is blocked for good and queued again: it waits, as it would have
 *   sigprocmask, pthread_sigmask   the program gets what it has blocked, and what it blocks is hidden too
 *   another function of libc       before it saves, sets or hands on the mask, what is hidden is settled: the kernel
 *                                  blocks it (interpose/masks_names.h)
 *
 * What is hidden belongs to the thread, not to the handler, as its mask does: a handler that is left by a jump that
 * restores no mask leaves its signals blocked. */
#ifndef CALLMETER_PRELOAD_SIGNALS_MASKS_H
#define CALLMETER_PRELOAD_SIGNALS_MASKS_H

#define MASKS_HIDDEN 0 /* of struct signals_thread, for assembly */

#ifndef __ASSEMBLER__

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "preload/machine/own_mask.h"
#include "preload/signals/notes.h"

/* The signal is claimed, and may be hidden if the kernel raises it for faults. Context: startup. */
void masks_claim(int signal);

/* Instead: the signals in the set, and no others. */
void masks_claim_all(uint64_t signals);

/* A handler of the program's is about to be called for the signal whose frame `context` is, which now has the mask that
 * the program knows. `blocked`: what is blocked in the handler besides. Returns what masks_end wants. Context: signal,
 * not in a child of vfork. */
uint64_t masks_begin(ucontext_t *context, uint64_t blocked);

/* It has returned. */
void masks_end(ucontext_t *context, uint64_t before);

/* As far as the program knows, the signal that has come is blocked. Context: signal. */
static inline bool masks_is_hidden(int signal)
{
    return signals_thread.hidden & SIGNAL_BIT(signal);
}

/* A hidden signal that is no fault has come: it is blocked, and waits until the program opens it. Context: signal. */
void masks_postpone(int signal, const siginfo_t *info, ucontext_t *context);

/* The kernel gets to know what is hidden. Context: any, hot (no vector register is used). */
void masks_settle(void);

/* What sigprocmask(2) is to tell the kernel instead, in *set: the rest is hidden. Returns what was hidden until then.
 * Context: any. */
uint64_t masks_change(int how, uint64_t *set);

#endif
#endif
