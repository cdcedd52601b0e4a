/* Images: the processes that count in the segment, one for each life of a process between fork or exec and exec or
 * death. The kernel says when one has ended: each has a futex in the list of robust ones of a thread of its own
 * (set_robust_list(2)), and a thread that dies or execs leaves FUTEX_OWNER_DIED in it. That holds whatever ends the
 * process, across PID namespaces, and when its id is another process's by then; what a process id alone cannot tell.
 *
 * The list is glibc's, which keeps its robust mutexes there. Ours goes in while it is empty and no mutex is being
 * locked, and is never taken out. Where that cannot be had, the process id has to do. */
#ifndef CALLMETER_PRELOAD_THREADS_PROCESS_IMAGE_H
#define CALLMETER_PRELOAD_THREADS_PROCESS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/segment/segment.h"

/* Room for as many at once as `capacity` says; more have to do without. -errno. Context: startup, once. */
int images_init(uint32_t capacity);

/* The calling process becomes an image of its own: at the start, and in a forked child. Returns its process id.
 * Signals are blocked. Context: hot (system calls, no libc). */
int image_begin(void);

/* Is it time to look for images that are over? It is when their number has doubled, so that it costs each process a
 * constant. */
bool images_are_many(void);

/* Process id and image in one word: what the blocks of this process have as their owner. Context: any. */
uint64_t image_owner(void);

/* Is the image still the caller's? false: the thread that it hung on is gone, no other was seen to live, and it was
 * given up with all its blocks; image_owner is another one now. Signals are blocked. Context: hot. */
bool image_hold(void);

/* The first `count` blocks, which are accessible. */
struct image_blocks {
    const struct segment_header *segment;
    uint32_t count;
};

/* Does a thread live that has a block of this owner? Context: hot. */
typedef bool (*image_has_threads)(const struct image_blocks *blocks, uint64_t owner);

/* Finds out which images have ended; `has_threads` is asked about those whose thread is gone. Returns how many live.
 * Context: hot. */
uint32_t images_look(const struct image_blocks *blocks, image_has_threads has_threads);

/* Has the image that owns a block ended, as images_look found? */
bool image_is_over(uint64_t owner);

/* Frees the images that had ended, once no block is theirs. */
void images_forget(void);

/* The thread that an image hangs on, or hung on. */
int image_thread(uint64_t owner);

/* The calling thread and its image in one word, never 0: what a lock in the segment has as its holder. Context: hot
 * (system calls, no libc). */
uint64_t image_mark(void);

/* Is the thread that made the mark gone? It is seen when its process has died or execs, in whatever PID namespace;
 * for a thread other than the image's own, of a process in another namespace, once images_look has found that. False
 * where the maker had no image, and so cannot be told from others. Context: hot. */
bool image_mark_is_over(uint64_t mark);

/* Is the process that owns something, as image_owner says, in a PID namespace where its id means the same as here? */
bool image_is_near(uint64_t owner);

#endif
