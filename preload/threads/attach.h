/* Who has which lane: threads take one at their first tracked call, processes begin anew in a forked child, and the
 * lanes of threads that are gone are given back. As in records/lane.h: no libc, no lock that a signal could meet. */
#ifndef CALLMETER_PRELOAD_THREADS_ATTACH_H
#define CALLMETER_PRELOAD_THREADS_ATTACH_H

#include <stdbool.h>

#include "preload/records/lane.h"

/* Context: startup, once. -errno if memory for the first lanes cannot be had: nothing may be patched then. */
int lanes_init(const struct lane_config *config);

/* Gives back the lanes of threads of this process that are gone; what they had in progress becomes abandoned.
 * lanes_reap: also the blocks of processes that are gone. Context: any thread of ours. */
void lanes_reap_threads(void);
void lanes_reap(void);

/* In a forked child, on the thread that forked. Context: pthread_atfork child handler. */
void lanes_forked(void);

/* The process is about to leave all calls that it has in progress, for this reason; or it is not any more. What is
 * counted so in the end is known when it is gone. In a child of vfork nothing happens. Context: any. */
void lanes_ending(enum segment_abandoned_reason reason);
void lanes_not_ending(void);

/* The lane to count in, whatever the thread was before: attaches it if it is new. Context: hot. */
struct lane *lane_here(void);

/* The calling thread is about to be confined to a few system calls: it gets its lane, and what else takes some.
 * Context: any. */
void lane_prepare(void);

/* True in a child of vfork, which runs on its parent's memory. Context: any. */
bool lane_is_borrowed(void);

#endif
