/* The state file of the last run, as it is read by the tables of this one's segment: its header, and why it is of no
 * use. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_OLD_FILE_H
#define CALLMETER_PRELOAD_CONTROL_STATE_OLD_FILE_H

#include <stdint.h>

#include "server/segment/segment.h"

struct diag;

/* Embedded by the caller. */
struct old_file {
    const struct segment_header *fresh; /* this run's segment, whose tables are complete */
    int fd;                             /* the caller's */
    struct segment_header header;       /* checked */
    enum segment_state_error error;     /* why it is of no use, once a function has failed; the diag says it in words */
    struct diag *diag;
};

/* Reads the header and checks it: 0; -EINVAL: it is none, or not that of such a segment; else what the file system
 * says. The descriptor and the diag stay the caller's. Context of all: startup. */
int old_file_init(struct old_file *file, const struct segment_header *fresh, int fd, struct diag *diag);

/* Reads so many bytes from `offset` on, into the caller's buffer. 0, or as old_file_judge. */
int old_file_read(struct old_file *file, void *buffer, uint64_t bytes, uint64_t offset);

/* Says what it means that reading (sparse_reader.h) had that result, which is returned as it is. */
int old_file_judge(struct old_file *file, int result);

/* Says that the file contradicts itself: -EINVAL; that there is no memory to read it: -ENOMEM. */
int old_file_damaged(struct old_file *file, const char *why);
int old_file_no_memory(struct old_file *file);

#endif
