/* The data plane: what a tracked call runs through. Layouts shared by C and assembly.
 *
 *   hook      one tracked function: where its original code went, which cell counts it, how its result is judged.
 *             Read-only.
 *   record    one call in progress: the return address, which the trampoline took off the stack, the caller's rbx, the
 *             start.
 *   chunk     4096 bytes: a header and 63 records. Belongs to one lane.
 *   lane      one thread: its innermost record, its chunks, its block of counters in the segment.
 *
 * A call: take a free record of the lane's, link it in as the lane's innermost one, count `started`, run the original,
 * unlink, count the outcome in the block, give the record back. Only the thread itself writes these, so there is no
 * lock and no atomic instruction, but a signal handler may run tracked functions between any two instructions. So each
 * step is one instruction. The first chunk of a lane has a seat for each hook: the record that its calls try to take
 * first, by clearing a bit in it, which says whether the bit was set. Where the seat is taken (a recursion, or two
 * functions whose seat it is) a record comes from the lane's other chunks, each of which has a mask of those that are
 * free: by a compare-exchange (without lock prefix) of the whole mask, which fails if a handler changed it, even if the
 * handler switched coroutines and came back much later.
 *
 * Code on this path is compiled with -mgeneral-regs-only and calls nothing of libc: callers may keep values in any
 * register that the tracked function itself leaves alone (GCC's -fipa-ra), vector registers carry arguments and
 * results. */
#ifndef CALLMETER_PRELOAD_RECORDS_HOT_H
#define CALLMETER_PRELOAD_RECORDS_HOT_H

#define RECORD_BYTES  64
#define CHUNK_BYTES   4096
#define CHUNK_RECORDS 63 /* record 0 is the header's place */

/* Offsets for assembly; held against the structs below. */
#define RECORD_RETURN 0
#define RECORD_RBX    8
#define RECORD_HOOK   16
#define RECORD_START  24
#define RECORD_SP     32
#define RECORD_OUTER  40
#define RECORD_TARGET 48
#define RECORD_STATE  56
#define RECORD_ITEMS  57
#define RECORD_PLACE  63

/* What RECORD_PLACE says, and the bit of a free seat in the 32-bit word that ends with it: it is taken and given back
 * by that word, since a processor that finds a load wider than the store before it waits for the store. */
#define RECORD_PLACE_SEAT_TAKEN 0
#define RECORD_PLACE_SEAT_FREE  1
#define RECORD_PLACE_POOL       2 /* no seat: the chunk's mask tells whether it is free */
#define RECORD_PLACE_WORD       60
#define RECORD_PLACE_BIT        24

/* What stands in RECORD_TARGET when the original has returned: how long it took is counted; all is. */
#define RECORD_ENDING 1
#define RECORD_ENDED  2

#define RECORD_SLOT_ABOVE_SP 32 /* four registers are pushed there, the stub's one among them */

#define CHUNK_FREE 0

#define LANE_CURRENT 0
#define LANE_CHUNK   8

#define THREAD_LANE      0
#define THREAD_BLOCK_REF 8
#define THREAD_SEATS     16

#define HOOK_ORIGINAL 0
#define HOOK_BYPASS   8
#define HOOK_CELL     16
#define HOOK_SCALE    24
#define HOOK_LOW      32
#define HOOK_SPAN     40
#define HOOK_FLAGS    48
#define HOOK_SEAT     56
#define HOOK_FIRST    64
#define HOOK_BOUNDS   176

#define HOOK_FLAG_JUDGE   1  /* the outcome is not decided by scale, low and span alone: extra_finish is asked */
#define HOOK_FLAG_UNTIMED 2  /* of the untimed trampoline: such calls have no duration */
#define HOOK_FLAG_WEIGHED 4  /* such a call stands for others that were not timed */
#define HOOK_FLAG_VECTORS 8  /* extra_entry reads floating-point arguments */
#define HOOK_FLAG_LABELS  16 /* extra_entry counts the start: the trampoline does so for nothing */

/* What sampling_decide answers. */
#define SAMPLE_OUT     0
#define SAMPLE_TIMED   1
#define SAMPLE_UNTIMED 2

#define CELL_STARTED_OFFSET 0
#define CELL_SUCCESS_OFFSET 8
#define CELL_SUM_OFFSET     16
#define CELL_ERROR_OFFSET   24
#define CELL_BUCKETS_OFFSET 88

#ifndef __ASSEMBLER__

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment/segment.h"
#include "symbols/values/condition.h"

struct extra;

struct hook {
    void *original; /* the function's first instructions, relocated, which jump back behind the patched ones; or
                       hot_extra, which goes on there */
    void *bypass;   /* in the stub: pop rbx, then the relocated instructions */
    uint64_t cell;  /* byte offset of the cell in each block that the trampoline counts in */
    uint64_t scale; /* judge: ret * scale - low <= span is success. 1 << 32 leaves the low 32 bits of ret, 0 nothing */
    uint64_t low;
    uint64_t span;
    uint32_t flags; /* HOOK_FLAG_... */
    uint32_t index; /* of the function in the segment */
    uint64_t seat;  /* byte offset of the record that its calls try first, in the lane's seats */
    uint8_t
        first_bucket[64]; /* by the position of the highest set bit of the ticks: the first bucket that can hold them */
    uint64_t home;        /* the cell that C code counts in: `cell`, unless that is for nothing (see extra.h) */
    const struct extra *extra;       /* what only some functions have; NULL: nothing */
    struct condition throttled_when; /* asked first */
    struct condition error_when;
    uint64_t bounds[]; /* ticks, ascending; the last is UINT64_MAX */
};

enum record_state {
    RECORD_LIVE,
    RECORD_FINISHED,  /* its call ended on another thread; the owner still has to unlink it */
    RECORD_PANICKED,  /* counted as panic; as RECORD_ABANDONED else */
    RECORD_ABANDONED, /* counted as abandoned, without proof that it is dead: kept, should it return after all. The
                         reason is added to it */
    RECORD_LEFT =
        128, /* a bit beside the two before: its stack was seen to be given up, by a jump or the thread's end */
};

struct record {
    void *return_address;
    uint64_t caller_rbx;
    const struct hook *hook;
    uint64_t start;        /* ticks; at the end of a timed call: how long it took */
    uintptr_t sp;          /* the trampoline's stack pointer: record_slot lies RECORD_SLOT_ABOVE_SP bytes above */
    struct record *outer;  /* the lane's innermost one before */
    void *target;          /* hook->original, with HOOK_FLAG_LABELS only until the start is counted; while unwinding:
                              _Unwind_Resume of the unwinder at work; RECORD_ENDING, RECORD_ENDED */
    _Atomic uint8_t state; /* enum record_state */
    uint8_t items[6];      /* of the batch, little-endian; extra.c's. Lost when the record is given back */
    uint8_t place;         /* RECORD_PLACE_... */
};

/* Where on the stack the return address was, and where the original's went. */
static inline uintptr_t record_slot(const struct record *record)
{
    return record->sp + RECORD_SLOT_ABOVE_SP;
}

struct lane;

/* Placed at the chunk's start, in the room of record 0. */
struct chunk {
    uint64_t free;           /* bit i: record i is free; changed by the owner's thread, in single instructions. Of
                                seats: 0, they tell themselves */
    _Atomic uint64_t remote; /* bit i: record i was given back by another thread */
    struct lane *lane;
    struct chunk *next; /* of the same lane */
};

enum lane_state {
    LANE_NEW, /* not all of it is filled in yet */
    LANE_FREE,
    LANE_ATTACHED, /* a live thread's, or that of one which ended and was not yet noticed */
    LANE_REAPING,
    LANE_ORPHANED, /* copied by fork; the thread that forked takes it up again, the others are gone */
};

struct lane {
    struct record *current; /* innermost; &lane_bottom if there is none */
    struct chunk *chunk;    /* where the next record comes from, if its seat is taken */
    struct chunk *seats;
    uint8_t **block_ref; /* the thread's block; in memory that fork wipes, so that a child never writes to its parent's
                            block */
    _Atomic uint32_t state; /* enum lane_state */
    int tid;
    uintptr_t stack_low; /* the thread's own stack; both 0: not asked yet; both 1: not to be found out */
    uintptr_t stack_high;
    uintptr_t thread_pointer;
    uint64_t random;     /* state of sampling.c's generator; never 0 once it is attached */
    unsigned probes;     /* system calls to find out whether memory can be read */
    uint8_t *last_block; /* the one it had last, which may be a parent's */
    uintptr_t altstack;  /* top of the alternate signal stack that the lane's threads get; 0: not mapped yet */
};

/* What a thread has at hand in its static TLS. */
struct hot_thread {
    struct lane *lane;   /* &lane_none before its first tracked call, &lane_ours where callmeter itself is at work */
    uint8_t **block_ref; /* the lane's, or one that leads to no block */
    struct chunk *seats; /* the lane's, or one that has none free */
    struct lane *own;    /* the lane, also where callmeter itself is at work; NULL: it has none */
};

static inline uint64_t hot_seat(uint32_t index)
{
    return (1 + (uint64_t)index % CHUNK_RECORDS) * RECORD_BYTES;
}

_Static_assert(sizeof(struct record) == RECORD_BYTES, "record");
_Static_assert(offsetof(struct record, return_address) == RECORD_RETURN, "record");
_Static_assert(offsetof(struct record, caller_rbx) == RECORD_RBX, "record");
_Static_assert(offsetof(struct record, hook) == RECORD_HOOK, "record");
_Static_assert(offsetof(struct record, start) == RECORD_START, "record");
_Static_assert(offsetof(struct record, sp) == RECORD_SP, "record");
_Static_assert(offsetof(struct record, outer) == RECORD_OUTER, "record");
_Static_assert(offsetof(struct record, target) == RECORD_TARGET, "record");
_Static_assert(offsetof(struct record, state) == RECORD_STATE, "record");
_Static_assert(offsetof(struct record, items) == RECORD_ITEMS, "record");
_Static_assert(offsetof(struct record, place) == RECORD_PLACE, "record");
_Static_assert(RECORD_PLACE == RECORD_PLACE_WORD + 3 && RECORD_PLACE_SEAT_FREE << 24 == 1 << RECORD_PLACE_BIT,
               "record");
_Static_assert(sizeof(struct chunk) <= RECORD_BYTES, "chunk");
_Static_assert(offsetof(struct chunk, free) == CHUNK_FREE, "chunk");
_Static_assert(offsetof(struct lane, current) == LANE_CURRENT, "lane");
_Static_assert(offsetof(struct lane, chunk) == LANE_CHUNK, "lane");
_Static_assert(offsetof(struct hot_thread, lane) == THREAD_LANE, "thread");
_Static_assert(offsetof(struct hot_thread, block_ref) == THREAD_BLOCK_REF, "thread");
_Static_assert(offsetof(struct hot_thread, seats) == THREAD_SEATS, "thread");
_Static_assert(offsetof(struct hook, original) == HOOK_ORIGINAL, "hook");
_Static_assert(offsetof(struct hook, bypass) == HOOK_BYPASS, "hook");
_Static_assert(offsetof(struct hook, cell) == HOOK_CELL, "hook");
_Static_assert(offsetof(struct hook, scale) == HOOK_SCALE, "hook");
_Static_assert(offsetof(struct hook, low) == HOOK_LOW, "hook");
_Static_assert(offsetof(struct hook, span) == HOOK_SPAN, "hook");
_Static_assert(offsetof(struct hook, flags) == HOOK_FLAGS, "hook");
_Static_assert(offsetof(struct hook, seat) == HOOK_SEAT, "hook");
_Static_assert(offsetof(struct hook, first_bucket) == HOOK_FIRST, "hook");
_Static_assert(offsetof(struct hook, bounds) == HOOK_BOUNDS, "hook");
_Static_assert(CELL_STARTED * 8 == CELL_STARTED_OFFSET, "cell");
_Static_assert(CELL_SUCCESS * 8 == CELL_SUCCESS_OFFSET, "cell");
_Static_assert(CELL_SUM_TICKS * 8 == CELL_SUM_OFFSET, "cell");
_Static_assert(CELL_ERROR * 8 == CELL_ERROR_OFFSET, "cell");
_Static_assert(CELL_BUCKETS * 8 == CELL_BUCKETS_OFFSET, "cell");

#endif
#endif
