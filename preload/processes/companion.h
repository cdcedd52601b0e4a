/* The companion: the one thread of callmeter's own that a process has, which serves the endpoint or waits to do so.
 *
 * Who forks takes it along by interposed functions: a thread cannot be made in a pthread_atfork handler, in a child of
 * vfork, nor where a lock of libc may be left over from a thread that is not there. So a child gets one when fork has
 * returned in it, if its parent had no other threads; else when it makes threads itself, which shows that it can. In a
 * signal handler none is made, but owed until the program calls outside of one.
 * Children that came by a system call of their own have none. */
#ifndef CALLMETER_PRELOAD_PROCESSES_COMPANION_H
#define CALLMETER_PRELOAD_PROCESSES_COMPANION_H

#include <stdbool.h>

struct companion_calls {
    int (*start)(void); /* makes the thread; -EBUSY: the one before has not ended yet; -errno: there is none */
    /* Ends it, and returns when it is gone; false: it is not yet, but will be as soon as it can. Where libc may not be
     * called (not `is_tidy`), it leaves its memory behind, and where it waits it is ended even while it is held. */
    bool (*stop)(bool is_tidy);
    bool (*has_left)(void); /* it has ended itself */
    /* Has it make a system call, five arguments; false: it has not. */
    bool (*repeat)(long number, const long *arguments);
    /* Keeps it where it holds no lock, until let_go; false: it is at work, or soon will be (unless `anyhow`). */
    bool (*hold)(bool anyhow);
    void (*let_go)(void);
};

/* From here on: this process has its thread. The calls are copied. Context: startup. */
void companion_init(const struct companion_calls *calls);

/* The program has an endpoint, which somebody is to serve. Context: any. */
bool companion_is_wanted(void);

/* Around what the program can do only as long as it has one thread, or what libc insists on doing in all threads: some
 * namespaces are entered by processes of one thread alone, and libc ends a program in which setuid and its like succeed
 * in one thread and not in another, which they do when a thread has changed its own credentials (capabilities,
 * PR_SET_KEEPCAPS). So the companion ends, and is made anew, with the credentials of the program's one thread: if there
 * is no other one, or `whatever_threads`. In a signal handler, or where it cannot be told whether it is one, it ends as
 * well, but is made anew later: it is owed.
 *
 * companion_settle makes one where it is owed and can be made now. It is to follow companion_step_aside, and to be
 * called wherever the program calls us anyway. Context of both: any. */
void companion_step_aside(bool whatever_threads);
void companion_settle(void);

/* The program's thread has made a system call, of five arguments, that changes what the calling thread may: if it is
 * the only one, the companion makes the same; or else it ends, and is owed. Context: any. */
void companion_repeat(long number, const long *arguments);

/* What companion_fork_begin notes for the other two. */
struct companion_forking {
    bool is_single; /* the child may have a thread, */
    bool is_sound;  /* and at once */
    bool is_held;
    int believed; /* what libc believed of its threads; -1: it still does */
};

/* Around a fork(3): before it; then in the parent, or where there is no child; then in the child. Context: any. */
void companion_fork_begin(struct companion_forking *ret_forking);
void companion_fork_end(const struct companion_forking *forking);
void companion_fork_child(const struct companion_forking *forking);

/* The program has made a thread: so can we. Context: any. */
void companion_follow(void);

#endif
