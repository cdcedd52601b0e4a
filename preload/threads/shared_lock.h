/* A lock in the segment, held by one thread of all processes that share it for some hundred instructions, or for some
 * milliseconds. A holder that is gone (process_image.h) leaves it to the next one; from a living one it is never taken:
 * one that is stopped may be woken at any time. So nobody waits for ever: who has waited too long goes on without what
 * the lock is for. Signals are blocked meanwhile. Context of all: hot (system calls, no libc). */
#ifndef CALLMETER_PRELOAD_THREADS_SHARED_LOCK_H
#define CALLMETER_PRELOAD_THREADS_SHARED_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Makes one attempt to take the lock, a word that is 0 while it is free. */
bool shared_lock_try(uint64_t *word);

/* Waits for it: about a millisecond, and then so many naps of one each. False: its holder lives, and has not let go. */
bool shared_lock_take(uint64_t *word, unsigned naps);

void shared_lock_leave(uint64_t *word);

#endif
