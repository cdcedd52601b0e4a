/* The segment: the one shared mapping through which the hot path speaks to the server. Layout only; plain data.
 *
 *   header | functions[] | series[] | text arena | blocks[]
 *
 * A block belongs to one thread at a time, and only that thread writes it, with plain 8-byte stores. The reader sums a
 * counter over all blocks, whoever owns them now: a block is handed on unzeroed, so nothing is ever lost. Included by
 * server/, which reads, and by preload/, which writes. All offsets are bytes from the start of the mapping, 8-byte
 * aligned. */
#ifndef CALLMETER_SERVER_SEGMENT_H
#define CALLMETER_SERVER_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC   UINT64_C(0x31524554454d4c43) /* "CLMETER1" */
#define SEGMENT_VERSION 1

/* Words (8 bytes each) of a cell, the counters of one series in one block. */
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
 * UTF-8. */
struct segment_function {
    uint64_t name;   /* value of the `function` label */
    uint64_t module; /* base name of the object, "" if missing */
    uint64_t symbol; /* as the manifest names it or, of a glob's match, the symbol */
    uint64_t reason; /* atomic: replaced when the state is; "" if there is nothing to say */
    uint32_t state;  /* atomic: enum segment_function_state */
    uint32_t is_optional;
};

/* One series: what one cell counts. */
struct segment_series {
    uint32_t function;     /* index in functions[] */
    uint32_t bucket_count; /* without +Inf */
    uint64_t kind;         /* text: value of the `kind` label */
    uint64_t labels; /* text: name NUL value NUL ... NUL: the function's own and the constant labels, sorted by name */
    uint64_t bounds; /* double[bucket_count], seconds, ascending */
    uint64_t cell;   /* offset of the cell in each block; two series may share one (two names for one address) */
    uint32_t is_from_glob;    /* exported from its first call only */
    uint32_t has_no_duration; /* calls are counted, not timed: no histogram and no calls_active */
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
    uint64_t owners;      /* uint64_t[block_capacity], atomic: pid << 32 | tid of the owner, 0 if free */
    uint32_t reclaim_at;  /* writer's own, atomic: look for dead owners when block_count has come this far */
    uint32_t reserved;
};

/* Block 0 has no owner: calls that find no block of their own are added there, by atomic instructions. */
enum {
    SEGMENT_SHARED_BLOCK = 0,
    SEGMENT_NO_OWNER = 1
};

/* Bytes of a cell with that many bounds; a multiple of the cache line. */
static inline uint64_t segment_cell_bytes(uint32_t bucket_count)
{
    return ((uint64_t)(CELL_BUCKETS + bucket_count + 1) * 8 + 63) & ~UINT64_C(63);
}

#endif
