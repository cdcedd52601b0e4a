/* Blocks of processes that are gone. */
#ifndef CALLMETER_PRELOAD_THREADS_RECLAIM_H
#define CALLMETER_PRELOAD_THREADS_RECLAIM_H

#include "server/segment/segment.h"

/* Frees, of the first `count` blocks, which are accessible, those of processes that are gone (process_image.h) for
 * others, unzeroed. Calls that were in progress there become abandoned, by process_death where the process did not say
 * that it was about to leave: each of the blocks is balanced by itself, so a call that began in one of them and ended
 * in another adds up to nothing. Counts the processes that live. Returns how many blocks have an owner still. Context:
 * hot (system calls, no libc). */
uint32_t reclaim_blocks(struct segment_header *segment, uint32_t count);

/* The owner of a block that the calling process balances meanwhile: nobody else does as long as that lives. */
uint64_t reclaim_owner(void);

#endif
