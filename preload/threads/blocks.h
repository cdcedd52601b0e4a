/* Blocks of the segment: which of them are this process's, and whose they become. Context of everything but the first:
 * hot (system calls, no libc). */
#ifndef CALLMETER_PRELOAD_THREADS_BLOCKS_H
#define CALLMETER_PRELOAD_THREADS_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/segment/segment.h"

/* `is_file`: the segment is a file, and blocks need space on the disk. Context: startup. */
void blocks_init(struct segment_header *segment, bool is_file);

/* How many blocks this process has opened. */
uint32_t blocks_opened(void);

/* Frees the blocks of processes that are gone (reclaim.h). */
void blocks_reclaim(void);

/* A block for the calling thread, or NULL if all are taken, or there is no space for one. `owner` is image_owner. */
uint8_t *blocks_claim(uint64_t owner);

/* The block of a thread of this process that is gone, for the calling one; NULL if it is not the process's any more. */
uint8_t *blocks_keep(uint8_t *block, uint64_t owner);

#endif
