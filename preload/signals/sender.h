/* Who sent a signal. callmeter's own thread may get one that is for the program, and sends it again: what is known of
 * the first sender is kept for the thread that it comes to then. */
#ifndef CALLMETER_PRELOAD_SIGNALS_SENDER_H
#define CALLMETER_PRELOAD_SIGNALS_SENDER_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

/* If it is a signal that callmeter's own thread has passed on, *info becomes what the first sender gave. To be asked
 * once of each signal that comes. Context: signal. */
void sender_restore(siginfo_t *info);

/* True if another process sent it. Context: signal. */
bool sender_is_outside(const siginfo_t *info);

/* Sends the process a signal again that came to callmeter's own thread, which has it blocked from here on. What was
 * meant for that thread alone is dropped. Context: signal, in callmeter's own thread. */
void sender_pass_on(int signal, const siginfo_t *info, ucontext_t *context);

#endif
