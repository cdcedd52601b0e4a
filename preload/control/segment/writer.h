/* The segment's writer: makes the mapping and fills in its tables (server/segment/segment.h has the layout). */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_WRITER_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "server/segment/segment.h"

/* How much is to fit. */
struct writer_size {
    uint32_t functions;
    uint32_t series;
    uint32_t resources;
    uint64_t text_bytes;
    uint64_t cell_bytes; /* of all cells */
};

/* Maps a shared segment, inherited by forked children; nothing holds a file descriptor for it. As many blocks as
 * address space and limits allow, at most 32 768. `fd` is an empty file that the segment is to be in, of which the
 * first block and what comes before it have their space on the disk, or -1: in memory. -ENOMEM, or what the file system
 * says: not even 64 blocks fit. The mapping stays for ever. Context: startup. */
int writer_create(const struct writer_size *size, double seconds_per_tick, int fd, struct segment_header **ret_segment);

/* The largest number of blocks in a file. */
uint32_t writer_file_blocks(uint64_t block_bytes);

/* Puts a text in the arena; its offset, or 0 (the empty text) if the arena is full. */
uint64_t writer_text(struct segment_header *segment, const char *text);

/* The same for bytes, aligned to 8. */
uint64_t writer_bytes(struct segment_header *segment, const void *bytes, size_t count);

/* Room in the arena, zeroed, aligned to 8; the offset of the empty text if there is none. */
uint64_t writer_reserve(struct segment_header *segment, uint64_t count);

/* Adds an entry and publishes it. Its index, or UINT32_MAX if the table is full. */
uint32_t writer_add_function(struct segment_header *segment, const struct segment_function *function);
uint32_t writer_add_series(struct segment_header *segment, const struct segment_series *series);

#endif
