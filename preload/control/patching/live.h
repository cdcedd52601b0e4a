/* Writing jumps into code that other threads may be running. Three kinds of thread must not be harmed.
 *
 * One that comes to the entry while the jump is being written. How it is kept out depends on the window:
 *
 *   one instruction, in one aligned 8-byte word   the jump is one store: nobody waits. (AMD64 Architecture Programmer's
 *                                                 Manual, volume 2, 7.6.1: seen whole or not at all.)
 *   no instruction begins at its second byte,     first a jump to itself, two bytes: who comes spins until the jump is
 *   which is in the same word                     whole (HotSpot patches calls in both of these ways)
 *   one does, as behind `push %rbp`               that byte must stay as it is for a thread that stands there, so it
 *                                                 is int3 first: who comes waits in the handler of SIGTRAP. It would
 *                                                 kill a thread that blocks SIGTRAP, as many do that leave signals to
 *                                                 others, so it is not used while there is such a thread
 *
 * One that has fetched the old bytes: every processor that runs a thread of this process is made to serialize
 * (membarrier(2), SYNC_CORE) between the steps.
 *
 * One that stands between two instructions of the window: it would go on in the middle of the jump. While nobody can
 * get in, each thread has to be seen elsewhere: blocked in a system call with its program counter outside
 * (/proc/self/task/TID/syscall), or with more processor time used up than such instructions can take. If a thread
 * cannot be seen elsewhere in time, the functions that it might be in keep their code. (Not seen: one that was
 * interrupted there by a signal whose handler has been running ever since.) No thread is stopped by a signal of ours:
 * that makes system calls return EINTR.
 *
 * Other threads may hold any lock while they wait, and any function of libc may be one that is being written. So
 * nothing in live*.c calls one: system calls only, signals blocked. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_H

#include <stddef.h>

#include "preload/control/patching/window.h"

/* What becomes of a patch besides -errno of mprotect. */
enum {
    LIVE_BUSY = -16,    /* -EBUSY: a thread could not be seen outside of the window */
    LIVE_BLOCKED = -11, /* -EAGAIN: it takes int3, and a thread blocks SIGTRAP */
};

/* Writes those of the patches, sorted by window, whose pages can be written, and sets the result of each. Code behind
 * the jump's five bytes is left as it is. `runs` are all the pages of the windows. Context: startup, or in a call of
 * dlopen. */
void live_write(struct patch *patches, size_t count, const struct window_run *runs, size_t run_count);

/* In a child that was forked while that was under way, which has one thread and nobody to finish it: writes the jumps
 * that are not turned down, and takes back those that are. Anywhere else it does nothing. Context: any. */
void live_forked(void);

#endif
