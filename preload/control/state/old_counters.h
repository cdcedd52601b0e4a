/* Reading the old file for restore.c: its counters by the new segment's tables, held against their bounds. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_OLD_COUNTERS_H
#define CALLMETER_PRELOAD_CONTROL_STATE_OLD_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/control/state/restore.h"
#include "preload/control/state/sparse_reader.h"
#include "server/segment/segment.h"

/* One table of tuples. */
struct old_values {
    struct segment_values *fresh;
    uint64_t offset;
    uint32_t count;
    uint64_t *keys;
    uint32_t *places; /* by old place: the new one */
};

/* One cell at one place. */
struct old_cell {
    const struct segment_series *series;
    const struct old_values *values; /* or NULL */
    uint64_t first;                  /* offset of the cell at place 0 in a block */
    uint32_t place;
    uint64_t *words;
};

struct restore {
    struct segment_header *segment;
    const struct segment_moment *now;
    restore_add add;
    int fd;
    struct segment_header old;
    double ratio; /* a new tick's length in old ones, reciprocal: ticks of then * ratio = ticks of now */
    struct old_values *values;
    size_t values_count;
    struct old_cell *cells;
    size_t cell_count;
    uint64_t *words;
    uint64_t *panics; /* then recovered */
    uint64_t cell_words_max;
    struct sparse_reader reader;
    enum segment_state_error error;
    struct diag *diag;
};

/* Reads all of it into the rest of *restore, whose segment, fd and diag are set: 0, or as restore_counts. Context:
 * startup. */
int restore_read(struct restore *restore);

/* Gives back what restore_read has made, whatever it returned. */
void restore_read_finish(struct restore *restore);

/* As many words of a key as read_field makes; 0: it is no key. */
uint32_t restore_key_words(const struct segment_header *segment, const struct segment_values *values,
                           const uint64_t *key);

/* The table at that offset of the segment, or NULL. */
const struct old_values *restore_find_values(const struct restore *restore, uint64_t offset);

/* Is the word a sum of ticks, not a count? */
static inline bool restore_is_sum(const struct segment_series *series, uint32_t word)
{
    return word == CELL_SUM_TICKS || (series->interval_word && word == series->interval_word);
}

/* Of the cell at a place, in a block. */
static inline uint64_t restore_cell_offset(const struct old_cell *cell, uint32_t place)
{
    return cell->first + place * segment_cell_bytes(cell->series->cell_words);
}

static inline void *restore_at(const struct segment_header *segment, uint64_t offset)
{
    return (char *)segment + offset;
}

#endif
