/* How long a panic's handling may take, and who waits for whom: one thread reports at a time, for a second at most. All
 * contexts: signal. */
#ifndef CALLMETER_PRELOAD_PANIC_WAIT_H
#define CALLMETER_PRELOAD_PANIC_WAIT_H

#include <signal.h>
#include <stdbool.h>

/* The signal comes to this thread when half of a report's time is over. Returns the timer; -1: there is none. */
int panic_wait_timer(int signal);

/* For the other half, which begins now: a program that was stopped meanwhile, or got no processor, is not to blame. */
void panic_wait_timer_again(int timer);
void panic_wait_timer_stop(int timer);
bool panic_wait_is_timers(const siginfo_t *info);

/* true: this thread reports. Asks until the deadline, which the owner may put off by lingering. */
bool panic_wait_lock(void);
void panic_wait_unlock(void);

/* Waits, so that a last scrape can come; once in a process. SIGTERM, SIGINT, SIGQUIT and SIGHUP end it. */
void panic_wait_linger(unsigned seconds);

#endif
