/* The counters of the segment's cells, each combined over all blocks. */
#ifndef CALLMETER_SERVER_SEGMENT_CELLS_H
#define CALLMETER_SERVER_SEGMENT_CELLS_H

#include <stddef.h>
#include <stdint.h>

struct view;
struct view_series;

/* One cell: words as enum segment_cell_word and struct segment_series say. Series that share a cell share this. */
struct cell {
    uint64_t offset; /* in each block */
    uint64_t *words;
    /* Sums of 64 bits over thousands of threads could overflow; use these in place of CELL_SUM_TICKS and the word at
     * interval_word. */
    double sum_ticks;
    double interval_ticks;
    uint32_t word_count;
    uint32_t summed_words; /* from here on, the maximum over all blocks */
    uint32_t interval_word;
};

/* Ascending by offset. */
struct cells {
    struct cell *items;
    size_t count;
    size_t next;  /* private: behind the one found last */
    void *memory; /* private: holds items and words */
    size_t memory_bytes;
};

/* Reads the cells of the series, at all places that are in use. All words but CELL_STARTED are read first, then
 * CELL_STARTED: whoever writes an end has written the start before, so starts are never fewer. The caller owns
 * *ret_cells (cells_finish). -ENOMEM; -EFBIG: more cells than an exposition could show. Context: server thread. */
int cells_read(const struct view *view, const struct view_series *series, size_t series_count, struct cells *ret_cells);

/* The cell at an offset that was read. Quick for the one behind the one asked for before. */
const struct cell *cells_find(struct cells *cells, uint64_t offset);

void cells_finish(struct cells *cells);

/* Places in use of all the series: an upper bound of the number of cells. */
uint64_t cells_count_places(const struct view_series *series, size_t series_count);

#endif
