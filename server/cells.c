/* The counters of the segment's cells, summed.
 *
 * With ten thousand functions a block takes megabytes, of which a thread has written a few pages. So work goes page by
 * page: which pages of the block exist, then the cells on each. A cell may begin on one page and end on the next. */
#include "server/cells.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "server/buffer.h"
#include "server/view.h"

enum {
    CELLS_PAGE_BYTES = 4096,
    PAGE_WORDS = CELLS_PAGE_BYTES / 8
};

struct reading {
    const struct view *view;
    struct cells *cells;
    unsigned char *is_present; /* by page of a block: bit 0 */
    uint32_t *page_cells;      /* by page: the first cell that ends behind the page's first byte */
    size_t page_count;
    bool is_swap_used;
};

/* Notes at each cell's offset how many words it has; returns how many words all cells have. */
static uint64_t mark_cells(const struct view *view, uint32_t *word_counts, size_t *ret_cell_count)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < view->series_count; i++) {
        const struct segment_series *series = &view->series[i];
        uint32_t word_count = CELL_BUCKETS + series->bucket_count + 1;
        uint32_t *mark;

        if (!view_series_is_valid(view, series))
            continue;
        mark = &word_counts[series->cell / 8];
        *ret_cell_count += *mark == 0;
        if (word_count <= *mark)
            continue;
        total += word_count - *mark;
        *mark = word_count;
    }
    return total;
}

/* Turns the marks into cells, and each mark into its cell's index. */
static void list_cells(struct reading *reading, uint64_t *words)
{
    struct cells *cells = reading->cells;
    size_t page = 0;

    for (size_t word = 0; word < reading->view->segment->block_bytes / 8; word++) {
        uint32_t word_count = cells->index_by_word[word];

        if (!word_count)
            continue;
        cells->items[cells->count] = (struct cell){.offset = word * 8, .words = words, .word_count = word_count};
        for (; page < reading->page_count && page * PAGE_WORDS < word + word_count; page++)
            reading->page_cells[page] = (uint32_t)cells->count;
        words += word_count;
        cells->index_by_word[word] = (uint32_t)++cells->count;
    }
    for (; page < reading->page_count; page++)
        reading->page_cells[page] = (uint32_t)cells->count;
}

static void *carve(char **cursor, size_t bytes)
{
    void *memory = *cursor;

    *cursor += (bytes + 15) & ~(size_t)15;
    return memory;
}

/* Two mappings: the marks must be made before it is known how much the rest needs. */
static int prepare(struct reading *reading)
{
    uint64_t block_words = reading->view->segment->block_bytes / 8;
    struct cells *cells = reading->cells;
    size_t cell_count = 0;
    uint64_t word_count;
    char *cursor;

    cells->index_bytes = block_words * sizeof(uint32_t);
    cells->index_by_word = pages_alloc(cells->index_bytes);
    if (!cells->index_by_word)
        return -ENOMEM;
    word_count = mark_cells(reading->view, cells->index_by_word, &cell_count);
    reading->page_count = (block_words + PAGE_WORDS - 1) / PAGE_WORDS;
    cells->memory_bytes = cell_count * sizeof(struct cell) + word_count * 8 + reading->page_count * 5 + 64;
    cells->memory = pages_alloc(cells->memory_bytes);
    if (!cells->memory)
        return -ENOMEM;
    cursor = cells->memory;
    cells->items = carve(&cursor, cell_count * sizeof(struct cell));
    reading->page_cells = carve(&cursor, reading->page_count * sizeof(uint32_t));
    reading->is_present = carve(&cursor, reading->page_count);
    list_cells(reading, (void *)cursor);
    return 0;
}

static bool is_swap_used(void)
{
    struct sysinfo info;

    return sysinfo(&info) != 0 || info.freeswap != info.totalswap;
}

static void ask_present(struct reading *reading, const char *block)
{
    size_t bytes = reading->view->segment->block_bytes;

    if (reading->is_swap_used || mincore((void *)(uintptr_t)block, bytes, reading->is_present) != 0)
        memset(reading->is_present, 1, reading->page_count);
}

/* Adds those words from..to of the cell that lie in the page. */
static void add_words(struct cell *cell, const char *block, size_t page, uint32_t from, uint32_t to)
{
    const uint64_t *source = (const void *)(block + cell->offset);
    size_t page_start = page * PAGE_WORDS;
    size_t start = cell->offset / 8;

    if (start + from < page_start)
        from = (uint32_t)(page_start - start);
    if (start + to > page_start + PAGE_WORDS)
        to = (uint32_t)(page_start + PAGE_WORDS - start);
    for (uint32_t i = from; i < to; i++) {
        uint64_t value = __atomic_load_n(&source[i], __ATOMIC_ACQUIRE);

        cell->words[i] += value;
        if (i == CELL_SUM_TICKS)
            cell->sum_ticks += (double)value;
    }
}

static void add_block(struct reading *reading, const char *block, bool is_starts)
{
    struct cells *cells = reading->cells;

    ask_present(reading, block);
    for (size_t page = 0; page < reading->page_count; page++) {
        uint64_t page_end = (page + 1) * CELLS_PAGE_BYTES;

        if (!(reading->is_present[page] & 1))
            continue;
        for (size_t i = reading->page_cells[page]; i < cells->count && cells->items[i].offset < page_end; i++) {
            struct cell *cell = &cells->items[i];

            if (is_starts && cell->offset < page * CELLS_PAGE_BYTES)
                continue;
            add_words(cell, block, page, is_starts ? 0 : 1, is_starts ? 1 : cell->word_count);
        }
    }
}

int cells_read(const struct view *view, struct cells *ret_cells)
{
    struct reading reading = {.view = view, .cells = ret_cells, .is_swap_used = is_swap_used()};
    int error;

    *ret_cells = (struct cells){0};
    error = prepare(&reading);
    if (error) {
        cells_finish(ret_cells);
        return error;
    }
    for (uint32_t block = 0; block < view->block_count; block++)
        add_block(&reading, view_block(view, block), false);
    for (uint32_t block = 0; block < view->block_count; block++)
        add_block(&reading, view_block(view, block), true);
    return 0;
}

const struct cell *cells_find(const struct cells *cells, uint64_t offset)
{
    return &cells->items[cells->index_by_word[offset / 8] - 1];
}

void cells_finish(struct cells *cells)
{
    pages_free(cells->index_by_word, cells->index_bytes);
    pages_free(cells->memory, cells->memory_bytes);
    *cells = (struct cells){0};
}
