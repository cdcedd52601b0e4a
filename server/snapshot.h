/* What the segment says at one moment, summed over all blocks: what every exposition format is rendered from. */
#ifndef CALLMETER_SERVER_SNAPSHOT_H
#define CALLMETER_SERVER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment.h"

enum snapshot_outcome {
    OUTCOME_SUCCESS,
    OUTCOME_ERROR,
    OUTCOME_THROTTLED,
    OUTCOME_PANIC,
    OUTCOME_ABANDONED,
    SNAPSHOT_OUTCOMES,
};

/* One set of labels, which no other series of the snapshot has. Two functions of one name in one module (static ones,
 * say) are one series. Texts are the segment's. */
struct snapshot_series {
    const char *function;
    const char *module;
    const char *kind;
    const char *labels; /* name NUL value NUL ... NUL */
    uint64_t outcomes[SNAPSHOT_OUTCOMES];
    uint64_t abandoned[SEGMENT_ABANDONED_REASONS];
    bool has_duration; /* the members below mean something */
    uint64_t active;
    double sum_seconds;
    uint64_t count; /* of the buckets: what the `+Inf` bucket shows */
    uint32_t bucket_count;
    const double *bounds; /* double[bucket_count] */
    uint64_t *buckets;    /* uint64_t[bucket_count + 1], not cumulative */
};

/* What became of one function; no two are alike in all members. */
struct snapshot_function {
    const char *name;
    const char *module;
    const char *symbol;
    const char *reason;
    enum segment_function_state state;
};

struct snapshot {
    const char *namespace_;
    const char *constant_labels;    /* name NUL value NUL ... NUL */
    struct snapshot_series *series; /* in the segment's order; those that a glob made, from their first call on */
    size_t series_count;
    struct snapshot_function *functions;
    size_t function_count;
    uint64_t states[SEGMENT_FUNCTION_STATES]; /* functions by state, duplicates too */
    void *memory;                             /* private: holds all of the above */
    size_t memory_bytes;
};

/* Reads the segment while its writers go on. Of each call, the end is read before the start of any, so `active` never
 * counts one that has ended. Offsets that point out of the segment are left out, never followed. The caller owns
 * *ret_snapshot (snapshot_finish), which refers to the segment. -EINVAL: no segment of this version; -ENOMEM. Context:
 * server thread, one at a time for a segment.
 *
 * Reading a page of a shared mapping that nobody has written would make it, so pages are first asked for with mincore.
 * That tells pages that are swapped out from those that never were no better than not at all, so where swap is in use
 * all claimed blocks are read, and made. */
int snapshot_take(const struct segment_header *segment, struct snapshot *ret_snapshot);

void snapshot_finish(struct snapshot *snapshot);

/* The word of a state, such as "missing"; static. */
const char *snapshot_state_name(enum segment_function_state state);

/* The word of an outcome, such as "throttled"; static. */
const char *snapshot_outcome_name(enum snapshot_outcome outcome);

#endif
