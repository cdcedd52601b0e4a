/* The program's signals. Of those that callmeter claims the program sets and reads a virtual action; the kernel has our
 * entry, with the flags and the mask of the program's handler, so that the kernel itself chooses the stack, blocks and
 * restarts as it would without us.
 *
 *   program's action   the kernel's                                            what happens
 *   handler            entry, the program's flags and mask                     it is called, as if by the kernel
 *   default            entry, on the alternate stack, nothing blocked          panic_take
 *   ignored            the same; ignored, if no fault can raise the signal     only what the kernel forces is taken
 *
 * All other signals go straight through. A child of vfork has the kernel's actions for itself, but the table is its
 * parent's: it sets and reads the kernel's. */
#ifndef CALLMETER_PRELOAD_SIGNALS_ACTIONS_H
#define CALLMETER_PRELOAD_SIGNALS_ACTIONS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/machine/kernel_action.h"

/* What the kernel calls. */
typedef void signals_entry(int signal, siginfo_t *info, void *context);

/* The kernel's handler of whatever is claimed from here on. Context: startup, once. */
void signals_init(signals_entry *entry);

/* Looks up libc's sigaction, behind the interposers. Context: startup. */
void signals_find_libc(void);

/* libc's sigaction. Context: any. */
int signals_real_action(int signal, const struct sigaction *action, struct sigaction *ret_old);

/* From here on the program's action for the signal is virtual. false: it is ignored now, and stays the program's.
 * Context: startup. */
bool signals_claim(int signal);

bool signals_is_claimed(int signal);

/* Gives the signal's handler in the kernel to another part of callmeter: it is `action`'s, with libc's restorer. What
 * the program sets meanwhile with libc's functions is noted, and what it asks for is answered from there. One signal at
 * a time, claimed or not. false: it cannot be. Context: startup, or in a call of dlopen. */
bool signals_lend(int signal, const struct kernel_action *action);

/* The kernel gets what is noted, unless the program has set another action behind our back. Context: any. */
void signals_take_back(int signal);

/* What the kernel would have for the signal that is lent, or was lent last. Context: signal. */
struct kernel_action signals_lent(void);

/* It is claimed or lent: signals_change is for it. */
bool signals_is_virtual(int signal);

/* The program's actions become the kernel's, and nothing is virtual any more; and back, when each that has released
 * them has reclaimed them. Not in a child of vfork, nor where rt_sigprocmask is forbidden. Context: any. */
void signals_release(void);
void signals_reclaim(void);

/* sigaction(2) of a claimed signal or one that is lent, which cannot fail: 0. Either may be NULL. Context: any. */
int signals_change(int signal, const struct sigaction *action, struct sigaction *ret_old);

static inline bool signals_is_function(uintptr_t handler)
{
    return handler != (uintptr_t)SIG_DFL && handler != (uintptr_t)SIG_IGN;
}

/* The program's action of a claimed signal. Context: signal. */
struct kernel_action signals_action(int signal);

/* The kernel's SA_RESETHAND: the program's action, which has that handler, becomes the default. false: it has another
 * one by now, another thread's signal was faster. Context: signal. */
bool signals_take_handler(int signal, uintptr_t handler);

/* The program has no handler for it, and does not ignore it. Context: any. */
bool signals_has_default(int signal);

/* Puts the default action in the kernel. Context: signal. */
void signals_set_default(int signal);

/* Around exec: what the program ignores is ignored by the next one as well. The second is for an exec that failed.
 * Context: any, a child of vfork too. */
void signals_exec_begin(void);
void signals_exec_failed(void);

/* The same around posix_spawn, whose child is exec'ed in libc. */
void signals_spawn_begin(void);
void signals_spawn_end(void);

/* In a forked child: what its parent's other threads were spawning is none of its own. Context: pthread_atfork child
 * handler. */
void signals_forked(void);

#endif
