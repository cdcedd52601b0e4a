/* Going on from a state file of the last run. Its bytes are not trusted: it must have the layout that the new segment
 * has, and only counters, keys and moments are taken from it, each held against its bounds. It is read, not mapped, so
 * that nothing happens if it is cut short meanwhile. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_RESTORE_H
#define CALLMETER_PRELOAD_CONTROL_STATE_RESTORE_H

#include <stdint.h>

#include "server/segment/segment.h"

struct diag;
struct tuples;

/* How places for labels' values are made (tuples.h). */
typedef uint32_t (*restore_add)(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash);

/* Adds what the file at `fd` has counted to the segment, whose tables are complete and whose functions may be called
 * already: to its shared block. `now` is this moment by the segment's clock. Calls that were in progress become
 * abandoned{process_death}. Nothing is added unless all of it can be used: -EINVAL and *ret_error, with the diag; or
 * -ENOMEM, or what the file system says (error STATE_ERROR_IO). Context: startup. */
int restore_counts(struct segment_header *segment, int fd, const struct segment_moment *now, restore_add add,
                   enum segment_state_error *ret_error, struct diag *diag);

#endif
