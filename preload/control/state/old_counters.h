/* What the last run counted, summed over its blocks and held against bounds. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_OLD_COUNTERS_H
#define CALLMETER_PRELOAD_CONTROL_STATE_OLD_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/control/state/old_file.h"
#include "preload/control/state/old_values.h"
#include "server/segment/segment.h"

/* One cell at one place. */
struct old_cell {
    const struct segment_series *series; /* of this run's segment */
    const struct old_values *values;     /* or NULL */
    uint64_t first;                      /* offset of the cell at place 0 in a block */
    uint32_t place;
    uint64_t *words;
};

/* Embedded by the caller. */
struct old_counters {
    struct old_cell *cells;
    size_t count;
    uint64_t *words; /* of all cells */
};

/* 0; -EINVAL, -ENOMEM or what the file system says, with the file's error set. The tables live on. To be finished in
 * any case. Context: startup. */
int old_counters_read(struct old_counters *counters, struct old_file *file, const struct old_tables *tables);
void old_counters_finish(struct old_counters *counters);

/* Is the word a sum of ticks, not a count? */
static inline bool old_counters_is_sum(const struct segment_series *series, uint32_t word)
{
    return word == CELL_SUM_TICKS || (series->interval_word && word == series->interval_word);
}

/* The calls of a cell that are over, whichever way. */
static inline uint64_t old_counters_ended(const uint64_t *words)
{
    uint64_t ended = words[CELL_SUCCESS] + words[CELL_ERROR] + words[CELL_THROTTLED] + words[CELL_PANIC];

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        ended += words[CELL_ABANDONED + reason];
    return ended;
}

/* Of the cell at a place, in a block. */
static inline uint64_t old_counters_offset(const struct old_cell *cell, uint32_t place)
{
    return cell->first + place * segment_cell_bytes(cell->series->cell_words);
}

#endif
