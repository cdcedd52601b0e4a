/* Who sent a signal. One that came to a thread which is not to have it, as callmeter's own, is sent again: what is
 * known of the first sender is kept for the thread that it comes to then. */
#ifndef CALLMETER_PRELOAD_SIGNALS_SENDER_H
#define CALLMETER_PRELOAD_SIGNALS_SENDER_H

#include <signal.h>
#include <stdbool.h>

/* If it is a signal that was sent again, *info becomes what the first sender gave. To be asked
 * once of each signal that comes. Context: signal. */
void sender_restore(siginfo_t *info);

/* True if another process sent it. Context: signal. */
bool sender_is_outside(const siginfo_t *info);

/* Sends the process a signal again that came to a thread which has it blocked from here on. Context: signal. */
void sender_send_again(int signal, const siginfo_t *info);

#endif
