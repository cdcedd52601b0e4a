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

#include "preload/signals/notes.h"

/* Finds libc's functions behind the interposers (signals_calls.c). Context: startup. */
void signals_resolve(void);

/* libc's sigaction. Context: any, once it is found. */
int signals_real_action(int signal, const struct sigaction *action, struct sigaction *ret_old);

/* From here on the program's action for the signal is virtual. false: it is ignored now, and stays the program's.
 * Context: startup. */
bool signals_claim(int signal);

bool signals_is_claimed(int signal);

/* The program's actions become the kernel's, and nothing is virtual any more; and back. Context: any. */
void signals_release(void);
void signals_reclaim(void);

/* sigaction(2) of a claimed signal, which cannot fail: 0. Either may be NULL. Context: any. */
int signals_change(int signal, const struct sigaction *action, struct sigaction *ret_old);

/* The program has no handler for it, and does not ignore it. Context: any. */
bool signals_has_default(int signal);

/* What libc has in every action: where handlers return to. 0: not known yet. Context: any. */
uintptr_t signals_restorer(void);

/* The program exits. If it does so in its handler of a claimed signal, that has ended it. Context: any. */
void signals_leave(void);

/* Puts the default action in the kernel. Context: signal. */
void signals_set_default(int signal);

/* True if the program's handler of a signal that was sent from outside has raised this one, so that the program dies of
 * it after all. Context: signal. */
bool signals_is_sent_on(int signal, const siginfo_t *info, const void *context);

/* Around exec: what the program ignores is ignored by the next one as well. The second is for an exec that failed.
 * Context: any, a child of vfork too. */
void signals_exec_begin(void);
void signals_exec_failed(void);

/* The same around posix_spawn, whose child is exec'ed in libc. */
void signals_spawn_begin(void);
void signals_spawn_end(void);

#endif
