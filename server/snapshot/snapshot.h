/* What the segment says at one moment, summed over all blocks: what every exposition format is rendered from. */
#ifndef CALLMETER_SERVER_SNAPSHOT_SNAPSHOT_H
#define CALLMETER_SERVER_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment/copies.h"
#include "server/segment/segment.h"

enum snapshot_outcome {
    OUTCOME_SUCCESS,
    OUTCOME_ERROR,
    OUTCOME_THROTTLED,
    OUTCOME_PANIC,
    OUTCOME_ABANDONED,
    SNAPSHOT_OUTCOMES,
};

/* Both clocks at one moment. */
struct snapshot_clock {
    uint64_t ticks;
    double unix_seconds;
};

/* Numbers that not every series has. */
struct snapshot_count {
    bool is_shown;
    uint64_t value;
};

struct snapshot_gauge {
    bool is_shown;
    double value;
};

struct snapshot_histogram {
    bool is_shown; /* the members below mean something */
    double sum_seconds;
    uint64_t count;    /* of the buckets: what the `+Inf` bucket shows */
    uint64_t *buckets; /* uint64_t[bucket_count + 1], not cumulative */
};

/* One set of labels, which no other series of the snapshot has. Two functions of one name in one module (static ones,
 * say) are one series. Texts are the snapshot's, bounds the segment's. */
struct snapshot_series {
    const char *function;
    const char *module;
    const char *kind;
    const char *labels; /* name NUL value NUL ... NUL: all others */
    bool has_outcomes;  /* else the series is about calls in progress alone: not all its labels are known yet */
    uint64_t outcomes[SNAPSHOT_OUTCOMES];
    uint64_t abandoned[SEGMENT_ABANDONED_REASONS];
    uint32_t bucket_count; /* of both histograms */
    const double *bounds;  /* double[bucket_count] */
    struct snapshot_histogram durations;
    struct snapshot_histogram intervals;
    struct snapshot_count active;
    struct snapshot_count items;
    struct snapshot_gauge last_call;    /* Unix time; 0: never */
    struct snapshot_gauge last_success; /* Unix time; 0: never */
    struct snapshot_count health;       /* 1 if the check that finished last succeeded; not shown before the first */
    struct snapshot_gauge sample_interval;
};

/* Errors of one type; counted from the first one on. */
struct snapshot_error {
    size_t series; /* index in series[] */
    const char *type;
    uint64_t count;
};

/* What was folded into `_other`. No two have equal texts. */
struct snapshot_overflow {
    const char *function;
    const char *label;
    uint64_t count;
};

/* No two have equal names. */
struct snapshot_resource {
    const char *name;
    struct snapshot_gauge in_use;
    struct snapshot_gauge limit;
};

/* A signal that is looked at. */
struct snapshot_signal {
    const char *name;  /* "SIGSEGV"; static */
    uint32_t position; /* in the segment's signals[] */
    uint64_t count;
};

/* Panics in one function; no two have equal texts. */
struct snapshot_panics {
    const char *function; /* "": in none */
    const char *module;
    uint64_t counts[SEGMENT_SIGNALS_MAX]; /* by snapshot_signal.position */
    uint64_t recovered;
    bool is_shown;    /* counts are */
    bool has_recover; /* recovered is shown */
};

/* What became of one function; no two are alike in all members. */
struct snapshot_function {
    const char *name;
    const char *module;
    const char *symbol;
    const char *reason;
    enum segment_function_state state;
};

/* Pages of the snapshot's own. */
struct snapshot_memory {
    void *pages;
    size_t bytes;
};

enum {
    SNAPSHOT_MEMORIES = 6
};

struct snapshot {
    const char *namespace_;
    const char *constant_labels; /* name NUL value NUL ... NUL */
    /* In the segment's order; those that a glob made, and those of labels that come from calls, from their first call
     * on. */
    struct snapshot_series *series;
    size_t series_count;
    struct snapshot_error *errors;
    size_t error_count;
    struct snapshot_overflow *overflows;
    size_t overflow_count;
    struct snapshot_resource *resources;
    size_t resource_count;
    struct snapshot_signal signals[SEGMENT_SIGNALS_MAX];
    size_t signal_count;
    struct snapshot_panics *panics; /* those in none first */
    size_t panics_count;
    uint64_t state_errors[SEGMENT_STATE_ERRORS];
    struct snapshot_function *functions;
    size_t function_count;
    uint64_t states[SEGMENT_FUNCTION_STATES]; /* functions by state, duplicates too */
    struct snapshot_gauge overhead_ratio;
    struct snapshot_gauge processes;
    struct snapshot_memory memories[SNAPSHOT_MEMORIES]; /* private: hold all of the above */
    int memory_count;
    struct copies copies; /* private: hold the texts that are the segment's */
};

/* Reads the segment, a mapping of so many bytes, while its writers go on. Of each call, the end is read before the
 * start of any, so `active` never counts one that has ended. Offsets that point out of the segment are left out, never
 * followed. Without a clock (NULL) the metrics that are Unix times are not shown. The caller owns *ret_snapshot
 * (snapshot_finish), which refers to the segment. -EINVAL: no segment of this version; -EFBIG: more series than could
 * be shown; -ENOMEM. Context: server thread, one at a time for a segment.
 *
 * Reading a page of a shared mapping that nobody has written would make it, so pages are first asked for with mincore.
 * That tells pages that are swapped out from those that never were no better than not at all, so where swap is in use
 * all claimed blocks are read, and made; and where the kernel is not to be asked (server/common/filtered.h). */
int snapshot_take(const struct segment_header *segment, uint64_t segment_bytes, const struct snapshot_clock *clock,
                  struct snapshot *ret_snapshot);

void snapshot_finish(struct snapshot *snapshot);

/* The word of a state, such as "missing"; static. */
const char *snapshot_state_name(enum segment_function_state state);

/* The word of an outcome, such as "throttled"; static. */
const char *snapshot_outcome_name(enum snapshot_outcome outcome);

/* The word of a reason, such as "thread_exit"; static. */
const char *snapshot_reason_name(enum segment_abandoned_reason reason);

/* The word of a reason, such as "damaged"; static. */
const char *snapshot_state_error_name(enum segment_state_error reason);

#endif
