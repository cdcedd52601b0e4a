/* The segment: the one shared mapping through which the hot path speaks to the server. Layout only; plain data.
 *
 *   header | functions[] | series[] | resources[] | panics[] | recovered[] | text arena (and tables) | owners[] |
 *   blocks[]
 *
 * A block belongs to one thread at a time, and only that thread writes it, with plain 8-byte stores. The reader sums a
 * counter over all blocks, whoever owns them now: a block is handed on unzeroed, so nothing is ever lost. Included by
 * server/, which reads, and by preload/, which writes. All offsets are bytes from the start of the mapping, 8-byte
 * aligned. */
#ifndef CALLMETER_SERVER_SEGMENT_SEGMENT_H
#define CALLMETER_SERVER_SEGMENT_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC   UINT64_C(0x31524554454d4c43) /* "CLMETER1" */
#define SEGMENT_VERSION 2

/* Words (8 bytes each) of a cell, the counters of one series in one block. Behind the buckets lie the words that only
 * some kinds have: where, says struct segment_series. Words from summed_words on are not counters: the largest over all
 * blocks is meant, or they are the writer's own. */
enum segment_cell_word {
    CELL_STARTED, /* calls entered */
    CELL_SUCCESS,
    CELL_SUM_TICKS, /* of the calls in the buckets */
    CELL_ERROR,
    CELL_THROTTLED,
    CELL_PANIC,
    CELL_ABANDONED,                    /* first of SEGMENT_ABANDONED_REASONS words, one a reason */
    CELL_BUCKETS = CELL_ABANDONED + 5, /* bucket_count + 1 words, not cumulative; the last is above all bounds */
};

enum segment_abandoned_reason {
    ABANDONED_LONGJMP,
    ABANDONED_THREAD_EXIT,
    ABANDONED_EXEC,
    ABANDONED_PROCESS_EXIT,
    ABANDONED_PROCESS_DEATH,
    SEGMENT_ABANDONED_REASONS,
};

enum segment_function_state {
    SEGMENT_FULL,
    SEGMENT_COUNT,
    SEGMENT_REFUSED,
    SEGMENT_MISSING,
    SEGMENT_PENDING,
    SEGMENT_FUNCTION_STATES,
};

/* What became of one function of the manifest (or of one match of a glob). Text fields are offsets of NUL-terminated
 * UTF-8. Those of a library that is loaded later change when it comes; the state is stored last. */
struct segment_function {
    uint64_t name;   /* value of the `function` label */
    uint64_t module; /* base name of the object, "" if missing */
    uint64_t symbol; /* as the manifest names it or, of a glob's match, the symbol */
    uint64_t reason; /* atomic: replaced when the state is; "" if there is nothing to say */
    uint32_t state;  /* atomic: enum segment_function_state */
    uint32_t is_optional;
    uint32_t has_recover; /* a panic in it may be turned into a return */
    uint32_t is_awaited;  /* atomic: it was never tracked yet, as its library is not loaded: its series are not shown */
    uint32_t entry;       /* writer's own: which of the manifest's functions */
    uint32_t reserved;
};

/* What the bytes of a value mean. */
enum segment_value_type {
    SEGMENT_VALUE_BOOL,
    SEGMENT_VALUE_INT64, /* of 32 bits too, extended */
    SEGMENT_VALUE_UINT64,
    SEGMENT_VALUE_POINTER,
    SEGMENT_VALUE_FLOAT, /* the bits of a float in the low half */
    SEGMENT_VALUE_DOUBLE,
    SEGMENT_VALUE_STRING,
    SEGMENT_VALUE_TYPES,
};

/* One value in a key: a word that says how long it is, then one word, or 64 bytes of a string (any bytes but NUL, the
 * rest zero; cut where a character of UTF-8 begins). */
#define SEGMENT_VALUE_INVALID (UINT64_C(1) << 32) /* in place of the length: it could not be read */

enum {
    SEGMENT_STRING_BYTES = 64,
    SEGMENT_SCALAR_FIELD_BYTES = 16,
    SEGMENT_STRING_FIELD_BYTES = 8 + SEGMENT_STRING_BYTES,
};

/* One label whose values come from calls. */
struct segment_value {
    uint64_t name; /* text */
    uint64_t map;  /* text: value NUL replacement NUL ... NUL, of values as they would be shown without it; the first
                      value may be empty. 0: nothing is renamed */
    uint32_t type; /* enum segment_value_type */
    uint32_t key_offset;
};

/* The tuples of values that have been seen: the i-th has the i-th place; place `capacity` is for all others. */
struct segment_values {
    uint32_t capacity;
    uint32_t count; /* atomic: keys below it are complete and never change */
    uint32_t value_count;
    uint32_t key_bytes; /* a multiple of 8 */
    uint32_t slot_mask;
    uint32_t is_overflowed; /* atomic: a value was folded into `_other` */
    uint64_t lock;          /* writer's own, atomic: who adds a key; 0: nobody */
    uint64_t slots;         /* writer's own, uint32_t[slot_mask + 1], atomic: index + 1 by hash; 0: free */
    uint64_t keys;          /* offset of key_bytes * capacity bytes */
    uint64_t values;        /* struct segment_value[value_count] */
};

/* How often calls of a function are timed. Both words change together, but not at once: a reader uses either. */
struct segment_sampling {
    uint64_t interval; /* atomic: calls per timed call, 32 bits of fraction */
    uint64_t scale;    /* writer's own, atomic: of the random skips */
};

/* One entry of the manifest at one place: what one cell counts, or one cell for each tuple of its labels' values. Word
 * numbers of 0: the series has no such word. */
struct segment_series {
    uint32_t function;     /* index in functions[] */
    uint32_t bucket_count; /* without +Inf */
    uint64_t kind;         /* text: value of the `kind` label */
    uint64_t labels; /* text: name NUL value NUL ... NUL: the function's own and the constant labels, sorted by name */
    uint64_t bounds; /* double[bucket_count], seconds, ascending */
    uint64_t cell;   /* offset of the (first) cell in each block; two series may share it (two names, one address) */
    uint32_t is_from_glob;    /* exported from its first call only */
    uint32_t has_no_duration; /* calls are counted, not timed: no histogram and no calls_active */
    uint32_t cell_words;
    uint32_t summed_words;  /* words from here on are combined by the maximum */
    uint32_t skipped_word;  /* calls that were not timed, nor looked at when they ended: successes, never in progress */
    uint32_t items_word;    /* items of batches */
    uint32_t interval_word; /* sum of ticks between starts, then bucket_count + 1 words of their histogram */
    uint32_t errors_word;   /* error_count words: errors by type */
    uint32_t error_count;   /* SEGMENT_ERRNO_WORDS, or the capacity of error_values and one */
    uint32_t last_start_word;   /* ticks; 0 in it: never. Before the clock's start (of an earlier boot): negative */
    uint32_t last_success_word; /* likewise */
    uint32_t last_finish_word;  /* ticks * 2, and 1 more if the call succeeded; likewise */
    uint64_t sampling;          /* struct segment_sampling; 0: all calls are timed */
    uint64_t values;       /* struct segment_values of dynamic labels: cell i lies i * cell_words * 8 (rounded up to 64)
                              behind `cell`, that of `_other` last; 0: no such labels */
    uint64_t error_values; /* struct segment_values with one value: types of errors by result; 0: by errno */
    uint64_t entry_values; /* where some of the labels' values are known at the call's end only: the tuples of the
                              others; 0: there are no others */
    uint64_t entry_cell;   /* and cells for those, one for each of its places, else one: calls in progress, and those
                              that never returned a value. One that does is taken back from CELL_STARTED here, and
                              counted in `cell`. They are shown without the labels that are not known, outcomes once
                              there are some; `cell` has no calls_active then */
    uint32_t entry_cells;  /* 0: all values are known at the start */
    uint32_t is_health_check; /* health_check_up is shown (from last_finish_word) */
};

enum {
    SEGMENT_ERRNO_WORDS = 135, /* errno 0 to 133, and all others */
};

/* A gauge: read by the writer before each snapshot, or stored by calls. */
struct segment_gauge {
    uint64_t value; /* atomic */
    uint32_t type;  /* enum segment_value_type; never a string */
    uint32_t is_known;
};

struct segment_resource {
    uint64_t name; /* text */
    struct segment_gauge in_use;
    struct segment_gauge limit;
};

/* Why a state file could not be used. */
enum segment_state_error {
    STATE_ERROR_DAMAGED,  /* no segment, or one that contradicts itself */
    STATE_ERROR_VERSION,  /* of another version of callmeter */
    STATE_ERROR_MANIFEST, /* of another manifest, or of other programs */
    STATE_ERROR_UNSAFE,   /* a symbolic link, no regular file, another owner, writable by others */
    STATE_ERROR_BUSY,     /* another program is using it */
    STATE_ERROR_IO,       /* the file system refused */
    SEGMENT_STATE_ERRORS,
};

/* One moment by both clocks. */
struct segment_moment {
    uint64_t ticks;
    int64_t unix_ns;
};

enum {
    SEGMENT_SIGNALS_MAX = 16,
    SEGMENT_USERS = 16,
};

struct segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t segment_bytes;
    double seconds_per_tick;  /* of CELL_SUM_TICKS */
    uint64_t namespace_;      /* text: metric name prefix, without the underscore */
    uint64_t constant_labels; /* text, as segment_series.labels: of every metric */
    uint64_t functions;       /* struct segment_function[function_capacity] */
    uint64_t series;          /* struct segment_series[series_capacity] */
    uint64_t resources;       /* struct segment_resource[resource_count] */
    uint32_t resource_count;
    uint32_t function_capacity;
    uint32_t series_capacity;
    uint32_t function_count; /* atomic, stored last: entries below it are complete */
    uint32_t series_count;   /* atomic, likewise */
    uint64_t text;           /* text arena */
    uint64_t text_bytes;
    uint64_t text_used;   /* writer's own */
    uint64_t blocks;      /* page-aligned; out of bounds (PROT_NONE) until a process opens them, from the first on */
    uint64_t block_bytes; /* multiple of the page size */
    uint32_t block_capacity;
    uint32_t block_count; /* atomic: blocks below it were claimed at least once */
    uint64_t owners;      /* uint64_t[block_capacity], atomic: pid << 32 | writer's own, of the owner; 0 if free */
    uint32_t reclaim_at;  /* writer's own, atomic: look for dead owners when block_count has come this far */
    uint32_t is_overhead_known;
    uint64_t overhead_ratio; /* atomic, bits of a double: share of the CPU time */
    uint32_t signal_count;   /* fatal signals that are looked at; 0: none */
    uint32_t is_tainted;     /* atomic: a panic was turned into a return */
    uint32_t signals[SEGMENT_SIGNALS_MAX];
    uint64_t fatal_signals[SEGMENT_SIGNALS_MAX]; /* atomic, by position in signals */
    uint64_t panics; /* uint64_t[function_capacity + 1][SEGMENT_SIGNALS_MAX], atomic: by the innermost tracked function
                        (a row each, as functions[]; the last row: none) and position in signals */
    uint64_t recovered; /* uint64_t[function_capacity], atomic: panics turned into a return */
    uint64_t state_errors[SEGMENT_STATE_ERRORS];
    uint64_t layout;     /* of a state file: hash of all that says what the counters mean; 0: the segment is no file */
    uint32_t moment;     /* atomic: which of the moments is valid */
    uint32_t user_count; /* writer's own, atomic: processes that ever were noted in users */
    struct segment_moment moments[2];
    uint32_t users[SEGMENT_USERS]; /* writer's own, atomic: the processes that came last; others may be there */
    uint64_t cells_used;           /* writer's own: bytes of each block that have a meaning */
    uint64_t tables_lock;          /* writer's own, atomic: who changes functions[] and series[]; 0: nobody */
    uint32_t processes;            /* atomic: those that live, as far as they were looked for; 0: not known */
    uint32_t reserved;
};

/* Words at the start of each block, before the first cell. */
enum segment_block_word {
    BLOCK_EPOCH,  /* how often it was claimed: what cells note of an owner is void under the next one */
    BLOCK_THREAD, /* atomic: thread id of the owner */
    BLOCK_ENDING, /* atomic: the owner is about to leave what it has in progress, and why: 1 + enum
                     segment_abandoned_reason; 0: it is not */
    SEGMENT_BLOCK_HEADER_BYTES = 64,
};

/* Block 0 has no owner: calls that find no block of their own are added there, by atomic instructions. */
enum {
    SEGMENT_SHARED_BLOCK = 0,
    SEGMENT_NO_OWNER = 1 /* of no process */
};

/* Bytes from one cell to the next: whole cache lines. */
static inline uint64_t segment_cell_bytes(uint32_t cell_words)
{
    return ((uint64_t)cell_words * 8 + 63) & ~UINT64_C(63);
}

/* Of two moments in words of ticks, is `a` the later one? 0 is never. */
static inline int segment_is_later(uint64_t a, uint64_t b)
{
    return a != 0 && (b == 0 || (int64_t)(a - b) > 0);
}

#endif
