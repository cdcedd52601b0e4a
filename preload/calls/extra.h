/* What only some functions have: labels whose values come from calls, items, heartbeats, types of errors, gauges,
 * sampling. A hook without any has no struct extra, and its calls never come here.
 *
 * The trampoline links the call in, counts `started` in the hook's cell and calls hot_extra in place of the original.
 * That asks extra_entry and goes on to the original. Where labels say which cell a call belongs to, extra_entry puts
 * another hook in the record: the base hook's variant for that tuple of values, which differs in its cell only, so the
 * trampoline's exit need not know. The base hook counts in a scratch cell then, which is shown nowhere. A function
 * whose labels depend on the result always counts there; extra_finish moves the call to where it belongs.
 *
 * Context of everything: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_EXTRA_H
#define CALLMETER_PRELOAD_CALLS_EXTRA_H

#include "preload/calls/read.h"
#include "preload/calls/tuples.h"
#include "preload/records/hot.h"
#include "symbols/values/value.h"

enum {
    EXTRA_LABELS_MAX = 8,
    EXTRA_KEY_WORDS_MAX = EXTRA_LABELS_MAX * SEGMENT_STRING_FIELD_BYTES / 8 + READ_FIELD_WORDS_OVER,
    EXTRA_GAUGES_MAX = 8,
    EXTRA_HINTS = CELL_BUCKETS - CELL_ERROR,
};

/* The scratch cell of a function with labels, in a thread's block. The trampoline counts there as in any cell, and no
 * call has an outcome there that is shown: so the words of outcomes but success hold hints, on cache lines that the
 * trampoline needs anyway. What an exit still counts in one of them spoils it, and a place is looked at before it is
 * believed. */
struct extra_scratch {
    uint64_t started;
    uint64_t success;
    uint64_t sum_ticks;
    uint64_t hints[EXTRA_HINTS]; /* 1 + places of tuples that were found; 0: none */
    uint64_t buckets[];          /* and what else the function's cells have */
};

_Static_assert(offsetof(struct extra_scratch, hints) == CELL_ERROR * 8, "scratch cell");
_Static_assert(offsetof(struct extra_scratch, buckets) == CELL_BUCKETS * 8, "scratch cell");

/* Which trampoline a hook of the function is for. */
enum extra_role {
    EXTRA_TIMED,
    EXTRA_WEIGHED, /* timed, and counted for the calls that were not */
    EXTRA_UNTIMED,
    EXTRA_ROLES,
};

struct extra_role_hooks {
    const struct hook *base;
    uint8_t *variants; /* one after the other, variant_bytes each, filled in when first used; NULL: none */
};

/* Where tuples of values are kept, and the cells that go with them: cell i lies i * stride behind the first, that of
 * `_other` last. */
struct extra_table {
    struct tuples tuples; /* with no table: there are no such labels */
    uint64_t first_cell;
};

struct extra_label {
    struct value_location location;
    uint32_t key_offset;
    uint32_t field_bytes;
};

/* A gauge that this function's calls store to. */
struct extra_gauge {
    struct value_location location;
    struct segment_gauge *gauge;
};

/* Read-only once it is made. Offsets in the cell are in bytes; 0: there is no such word. */
struct extra {
    void *original; /* the relocated instructions */
    struct extra_role_hooks roles[EXTRA_ROLES];
    size_t variant_bytes;
    uint64_t stride;
    struct extra_table at_entry;                 /* of labels known at the start */
    struct extra_table at_end;                   /* of all labels, if some are known at the end only (has_end_labels) */
    struct extra_label labels[EXTRA_LABELS_MAX]; /* those known at the start first */
    uint32_t label_count;
    uint32_t entry_label_count;
    bool has_start; /* more than labels is to be seen to when a call starts */
    bool has_end_labels;
    bool has_items;
    bool is_item_result;
    struct value_location items_location;
    uint32_t bucket_count;
    uint32_t items;
    uint32_t interval;
    uint32_t last_start;
    uint32_t last_epoch; /* of the block, when last_start was written */
    uint32_t last_success;
    uint32_t last_finish;
    uint32_t errors;
    uint32_t error_count;       /* the last word is for all others */
    struct tuples error_values; /* with no table: by errno */
    struct value_location error_location;
    struct extra_gauge gauges[EXTRA_GAUGES_MAX];
    uint32_t gauge_count;
    const struct segment_sampling *sampling; /* NULL: every call is timed */
    uint64_t skip;                           /* words in the block: calls until the next timed one, see sampling.c */
    uint64_t weight;                         /* what the latest timed one stands for */
    uint64_t skipped;                        /* 0: a call that is not timed is judged all the same */
};

/* A call of a hook with an extra has been linked in. `vectors` are xmm0 to xmm7. Sets record->target to where to go on.
 * From assembly. */
void extra_entry(struct record *record, const uint64_t *registers, const uint64_t *stack, const uint64_t (*vectors)[2]);

/* A call of a function that is only counted. */
void extra_count(struct lane *lane, const struct hook *hook, const struct read_call *call);

/* A call whose hook has HOOK_FLAG_JUDGE has returned; record->start is how long it took, and is counted in the hook's
 * cell. Does the rest and unlinks the record: 0; or that is left to do, and to count the outcome, at the byte offset in
 * the hook's cell. From assembly. */
uint32_t extra_finish(struct record *record, uint64_t ret, uint64_t float_ret);

/* The same where nothing is counted yet but `started`: counts all, and unlinks nothing. */
void extra_finish_late(struct record *record, uint64_t ret, uint64_t float_ret);

/* An exception has left the call: as extra_finish_late, but there is no result. */
void extra_thrown(struct record *record);

/* The end of the thread has. */
void extra_left(struct record *record);

#endif
