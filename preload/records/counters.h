/* Counting in a lane's block of the segment, and judging a call's outcome. Context of everything but the first: hot. */
#ifndef CALLMETER_PRELOAD_RECORDS_COUNTERS_H
#define CALLMETER_PRELOAD_RECORDS_COUNTERS_H

#include "preload/records/hot.h"
#include "preload/records/tally.h"

/* `errno_offset` is that of errno from the thread pointer, the same in all threads. Context: startup. */
void counters_init(struct segment_header *segment, ptrdiff_t errno_offset);

/* Adds to a word (enum segment_cell_word) of the hook's home cell in the lane's block; by an atomic instruction to the
 * shared block, if the lane has none. */
void counters_add(const struct lane *lane, const struct hook *hook, unsigned word, uint64_t value);

/* The same for any cell, by its offset in the block and the word's in the cell. */
void counters_add_at(const struct lane *lane, uint64_t cell, uint64_t offset, uint64_t value);

/* A call that is counted as begun and as success, since it could not be timed. */
void counters_add_untimed(const struct lane *lane, const struct hook *hook);

/* Sum and bucket in a cell with the hook's buckets, as often as `weight` says. */
void counters_add_duration_at(const struct lane *lane, const struct hook *hook, uint64_t cell, uint64_t ticks,
                              uint64_t weight);

/* The same, noted in a tally. */
void counters_note_duration(struct tally *tally, const struct hook *hook, uint64_t cell, uint64_t ticks,
                            uint64_t weight);

/* A time between two starts: at `offset` in the home cell is the sum, behind it are the buckets. */
void counters_note_interval(struct tally *tally, const struct hook *hook, uint64_t offset, uint64_t ticks);

/* Adds what is noted to the lane's block, or as counters_add does, and then sets *mark to *value. A child that is
 * forked meanwhile, in a signal handler, has all of it in its own block, or nothing (halfway.c). */
void counters_commit(const struct lane *lane, const struct tally *tally, void **mark, void *const *value);

/* The same of a start in a cell, alone. */
void counters_start(const struct lane *lane, uint64_t cell, void **mark, void *value);

/* The calling thread's errno; the latter: where it is, NULL before counters_init. */
int counters_errno(void);
int *counters_errno_place(void);

/* The byte offset in the cell of a finished call's outcome. `float_ret` is the low half of xmm0. Reads errno. */
uint32_t counters_outcome(const struct hook *hook, uint64_t ret, uint64_t float_ret);

#endif
