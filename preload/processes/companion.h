/* The companion: the one thread of callmeter's own that a process has, which serves the endpoint or waits to do so.
 *
 * Who forks takes it along by interposed functions: a thread cannot be made in a pthread_atfork handler, in a child of
 * vfork, nor where a lock of libc may be left over from a thread that is not there. So a child gets one when fork has
 * returned in it, if its parent had no other threads; else when it makes threads itself, which shows that it can.
 * Children that came by a system call of their own have none. */
#ifndef CALLMETER_PRELOAD_PROCESSES_COMPANION_H
#define CALLMETER_PRELOAD_PROCESSES_COMPANION_H

#include <stdbool.h>

struct companion_calls {
    int (*start)(void); /* makes the thread; -errno */
    bool (*stop)(void); /* ends it, and returns when it is gone; false: it is not */
    /* Keeps it where it holds no lock, until let_go; false: it is at work, or soon will be (unless `anyhow`). */
    bool (*hold)(bool anyhow);
    void (*let_go)(void);
};

/* Finds the functions that are stood in for, while it is safe to ask. Context: startup. */
void companion_resolve(void);

/* From here on: this process has its thread. The calls are copied. Context: startup. */
void companion_init(const struct companion_calls *calls);

/* Ends the thread of this process, if it has one, and makes it again. Whatever other threads there are. Context: any
 * thread of the program, not in a signal handler. */
bool companion_stop(void);
void companion_start(void);

/* Around a system call that changes credentials of the calling thread alone (capabilities, PR_SET_KEEPCAPS), with what
 * the first has returned for the second. libc ends a program in which setuid and its like succeed in one thread and
 * not in another: so the companion is made anew, with the credentials of the program's one thread. Context: any. */
bool companion_credentials_begin(void);
void companion_credentials_end(bool is_stopped);

#endif
