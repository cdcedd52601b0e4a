/* The counters of the segment's cells, each summed over all blocks. */
#ifndef CALLMETER_SERVER_CELLS_H
#define CALLMETER_SERVER_CELLS_H

#include <stddef.h>
#include <stdint.h>

struct view;

/* One cell: words as enum segment_cell_word. Series that share a cell share this. */
struct cell {
    uint64_t offset; /* in each block */
    uint64_t *words;
    double sum_ticks; /* a sum of 64 bits over thousands of threads could overflow; use it in place of CELL_SUM_TICKS */
    uint32_t word_count;
};

/* Ascending by offset. */
struct cells {
    struct cell *items;
    size_t count;
    uint32_t *index_by_word; /* by offset / 8: index of the cell and one, or 0 */
    size_t index_bytes;
    void *memory; /* private: holds items and words */
    size_t memory_bytes;
};

/* Sums the cells of all valid series. All words but CELL_STARTED are read first, then CELL_STARTED: whoever writes an
 * end has written the start before, so starts are never fewer. The caller owns *ret_cells (cells_finish). -ENOMEM.
 * Context: server thread. */
int cells_read(const struct view *view, struct cells *ret_cells);

/* The cell of a valid series, by its offset. */
const struct cell *cells_find(const struct cells *cells, uint64_t offset);

void cells_finish(struct cells *cells);

#endif
