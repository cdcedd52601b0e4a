/* Reads a state file from front to back, some words at a time. Holes are not read. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_SPARSE_READER_H
#define CALLMETER_PRELOAD_CONTROL_STATE_SPARSE_READER_H

#include <stdint.h>

/* Embedded by the caller; private. */
struct sparse_reader {
    int fd;
    char *window;
    uint64_t room;
    uint64_t start;
    uint64_t bytes;
    uint64_t hole_start;
    uint64_t hole_end;
};

/* Reads of up to `words` at a time, through a descriptor that stays the caller's. -ENOMEM. Context of all: startup. */
int sparse_reader_init(struct sparse_reader *reader, int fd, uint64_t words);

/* *ret_words: `count` words at `offset`, valid until the next read; NULL if they are all 0. -EINVAL: the file ends
 * before; else what the file system says. */
int sparse_reader_words(struct sparse_reader *reader, uint64_t offset, uint64_t count, const uint64_t **ret_words);

void sparse_reader_finish(struct sparse_reader *reader);

/* All bytes from `offset` on, into the caller's buffer. Errors as above. */
int sparse_reader_copy(int fd, void *buffer, uint64_t bytes, uint64_t offset);

#endif
