/* Writing jumps into code that other threads may be running. Three kinds of thread must not be harmed: one that comes
 * to a window while its jump is being written, one whose processor has fetched the old bytes, and one that stands
 * between two instructions of the window and would go on in the middle of the jump.
 *
 * One call of live_write is a round. Its windows are written together, so that the threads are waited for once:
 *
 *    1 open the pages    They become writable. Where that fails nothing else is done to their windows.
 *    2 look              Can the other threads be seen? (live_threads.h.) Where they cannot, what is waited for below
 *                        never comes: the windows that need it are turned down before anything is changed.
 *    3 arm               Some windows are closed with int3, which needs a handler of SIGTRAP before the first one is
 *                        written. It would kill a thread that blocks SIGTRAP, as many do that leave signals to others:
 *                        while there is one, these windows are turned down.
 *    4 close             The first bytes, in one store, keep other threads out:
 *
 *      one instruction, in one aligned 8-byte word   the whole jump: nobody has to wait. (AMD64 Architecture
 *                                                    Programmer's Manual, volume 2, 7.6.1: seen whole or not at all.)
 *      no instruction begins at its second byte,     a jump to itself, two bytes: a thread that enters spins there
 *      which is in the same word                     (HotSpot patches calls in both of these ways)
 *      one does, as behind `push %rbp`               int3, one byte, since a thread may stand at the next: a thread
 *                                                    that enters waits in the handler
 *
 *    5 sync              All processors that run a thread of this process serialize (membarrier(2), SYNC_CORE):
 *                        afterwards nobody gets in by old bytes.
 *    6 clear             Each thread has to be seen outside of the windows, once, since nobody gets in any more. If
 *                        one is not in time, the windows that it might be in are turned down. (Not seen: one that was
 *                        interrupted there by a signal whose handler has been running ever since.)
 *    7 fill              The jump's other bytes, which nobody can run while the first ones keep them out.
 *    8 sync              Nobody has old ones of these when the next step lets them in.
 *    9 admit             The jump's first bytes, in one store; or the original ones, of a window that was closed and
 *                        then turned down.
 *   10 sync              No processor runs what closed a window any more: a thread that traps has done so before.
 *   11 disarm            The threads that wait go on. The handler goes once no thread has a trap on its way to it;
 *                        until then it stays, over several rounds if need be, and passes on what is not its own.
 *   12 close the pages   They are as they were.
 *
 * No thread is stopped by a signal of ours: that makes system calls return EINTR. Other threads may hold any lock while
 * they wait, and any function of libc may be one that is being written. So nothing in live*.c calls one: system calls
 * only, signals blocked.
 *
 * A thread may fork in any step. The child has none of the others, so that it can go from any step to the end by itself
 * (live_forked): its copy of the round says how far that had come. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_H

#include <stddef.h>

#include "preload/control/patching/window.h"

/* What becomes of a patch besides -errno of mprotect. */
enum {
    LIVE_BUSY = -16,    /* -EBUSY: a thread could not be seen outside of the window in time */
    LIVE_BLOCKED = -11, /* -EAGAIN: it takes int3, and a thread blocks SIGTRAP */
    LIVE_UNSEEN = -3,   /* -ESRCH: nobody tells where the threads are */
};

struct shim;

/* Who lends SIGTRAP, and knows callmeter's own thread. Context: startup, once. */
void live_init(const struct shim *shim);

/* Writes those of the patches, sorted by window, whose pages can be written, and sets the result of each. Code behind
 * the jump's five bytes is left as it is. `runs` are all the pages of the windows. One at a time. Context: startup, or
 * in a call of dlopen. */
void live_write(struct patch *patches, size_t count, const struct window_run *runs, size_t run_count);

/* In a child that was forked while that was under way: writes the jumps that are not turned down, and takes back those
 * that are. Anywhere else it does nothing. Context: any. */
void live_forked(void);

#endif
