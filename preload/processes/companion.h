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

/* From here on: this process has its thread. The calls are copied. Context: startup. */
void companion_init(const struct companion_calls *calls);

/* Ends the thread of this process, if it has one, and makes it again. Whatever other threads there are. Context: any
 * thread of the program, not in a signal handler. */
bool companion_stop(void);
void companion_start(void);

/* The program has an endpoint, which somebody is to serve. Context: any. */
bool companion_is_wanted(void);

/* Around what the program can do only as long as it has one thread, or what libc insists on doing in all threads: some
 * namespaces are entered by processes of one thread alone, and libc ends a program in which setuid and its like succeed
 * in one thread and not in another, which they do when a thread has changed its own credentials (capabilities,
 * PR_SET_KEEPCAPS). So the companion ends, and is made anew, with the credentials of the program's one thread.
 * companion_come_back takes what the first has returned. Context: any. */
bool companion_step_aside(void);
void companion_come_back(bool is_aside);

/* What companion_fork_begin notes for the other two. */
struct companion_forking {
    bool is_sound; /* the child may have a thread */
    bool is_held;
    int believed; /* what libc believed of its threads; -1: it still does */
};

/* Around a fork(3): before it; then in the parent, or where there is no child; then in the child. Context: any. */
void companion_fork_begin(struct companion_forking *ret_forking);
void companion_fork_end(const struct companion_forking *forking);
void companion_fork_child(const struct companion_forking *forking);

/* The program has made a thread. Context: any. */
void companion_follow(void);

#endif
