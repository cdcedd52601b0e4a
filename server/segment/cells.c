/* The counters of the segment's cells.
 *
 * With ten thousand functions a block takes megabytes, of which a thread has written a few pages; labels of many values
 * take much more, nearly all of which is unused. So work goes page by page: the pages that hold cells in use, those of
 * them that exist in the block, the cells on each. A cell may begin on one page and end on the next. */
#include "server/segment/cells.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "server/common/filtered.h"
#include "server/common/pages.h"
#include "server/segment/view.h"

enum {
    CELLS_PAGE_BYTES = 4096,
    PAGE_WORDS = CELLS_PAGE_BYTES / 8,
    EXTENT_GAP_PAGES = 16, /* to ask for a few pages too many is less than to ask once more */
    PLACES_MAX = 1 << 20,  /* an exposition of so many series is longer than is ever sent */
};

#define WORDS_MAX (UINT64_C(1) << 27)

/* A place in use, and whose it is. */
struct mark {
    uint64_t offset;
    const struct segment_series *series;
};

struct marks {
    struct mark *items;
    size_t count;
    struct mark *scratch;
    void *memory;
    size_t memory_bytes;
};

/* Pages in a row that hold cells. */
struct extent {
    size_t first_page;
    size_t page_count;
    size_t first_cell; /* the first that ends behind the extent's first byte */
};

struct reading {
    const struct view *view;
    struct cells *cells;
    struct extent *extents;
    size_t extent_count;
    unsigned char *is_present; /* by page of an extent: bit 0 */
    bool are_all_read;
};

/* Which cells ------------------------------------------------------------------------------------------------------ */

uint64_t cells_count_places(const struct view_series *series, size_t series_count)
{
    uint64_t count = 0;

    for (size_t i = 0; i < series_count; i++) {
        count += view_place_count(&series[i].values);
        if (series[i].source.entry_cells)
            count += view_place_count(&series[i].entry_values);
    }
    return count;
}

static void mark_places(struct marks *marks, const struct segment_series *series, uint64_t cell,
                        const struct view_values *values)
{
    for (uint32_t i = 0; i < view_place_count(values); i++)
        marks->items[marks->count++] = (struct mark){
            .offset = cell + view_place(values, i) * segment_cell_bytes(series->cell_words), .series = series};
}

/* Merge sort; what is in order already, which is nearly all, costs a look. */
static void sort_marks(struct mark *marks, size_t count, struct mark *scratch)
{
    size_t half = count / 2;
    size_t left = 0;
    size_t right = half;

    if (count < 2)
        return;
    sort_marks(marks, half, scratch);
    sort_marks(marks + half, count - half, scratch);
    if (marks[half - 1].offset <= marks[half].offset)
        return;
    memcpy(scratch, marks, half * sizeof(*marks));
    for (size_t i = 0; left < half; i++)
        marks[i] = right < count && marks[right].offset < scratch[left].offset ? marks[right++] : scratch[left++];
}

static int find_places(const struct view_series *series, size_t series_count, struct marks *ret_marks)
{
    uint64_t place_count = cells_count_places(series, series_count);
    struct marks marks = {0};

    if (place_count > PLACES_MAX)
        return -EFBIG;
    marks.memory_bytes = 2 * place_count * sizeof(struct mark);
    marks.memory = pages_alloc(marks.memory_bytes);
    if (!marks.memory)
        return -ENOMEM;
    marks.items = marks.memory;
    marks.scratch = marks.items + place_count;
    for (size_t i = 0; i < series_count; i++) {
        const struct segment_series *source = &series[i].source;

        mark_places(&marks, source, source->cell, &series[i].values);
        if (source->entry_cells)
            mark_places(&marks, source, source->entry_cell, &series[i].entry_values);
    }
    sort_marks(marks.items, marks.count, marks.scratch);
    *ret_marks = marks;
    return 0;
}

/* Layout ----------------------------------------------------------------------------------------------------------- */

static size_t page_of(uint64_t offset)
{
    return offset / CELLS_PAGE_BYTES;
}

/* Turns the marks into cells whose words are yet to be placed: series that share a cell get one, of the longer length.
 */
static void list_cells(struct cells *cells, const struct marks *marks)
{
    for (size_t i = 0; i < marks->count; i++) {
        const struct segment_series *series = marks->items[i].series;
        struct cell *cell = cells->count ? &cells->items[cells->count - 1] : NULL;

        if (!cell || cell->offset != marks->items[i].offset) {
            cell = &cells->items[cells->count++];
            *cell = (struct cell){.offset = marks->items[i].offset};
        }
        if (series->interval_word)
            cell->interval_word = series->interval_word;
        if (series->cell_words <= cell->word_count)
            continue;
        cell->word_count = series->cell_words;
        cell->summed_words = series->summed_words;
    }
}

static void list_extents(struct reading *reading)
{
    const struct cells *cells = reading->cells;
    struct extent *extent = NULL;

    for (size_t i = 0; i < cells->count; i++) {
        size_t first = page_of(cells->items[i].offset);
        size_t last = page_of(cells->items[i].offset + cells->items[i].word_count * 8 - 1);

        if (!extent || first > extent->first_page + extent->page_count + EXTENT_GAP_PAGES) {
            extent = &reading->extents[reading->extent_count++];
            *extent = (struct extent){.first_page = first, .first_cell = i};
        }
        if (last >= extent->first_page + extent->page_count)
            extent->page_count = last - extent->first_page + 1;
    }
}

static int allocate_cells(struct reading *reading, size_t mark_count, uint64_t word_count)
{
    size_t page_count = page_of(reading->view->header.block_bytes) + 1;
    struct cells *cells = reading->cells;
    char *cursor;

    cells->memory_bytes = mark_count * (sizeof(struct cell) + sizeof(struct extent)) + page_count + word_count * 8 + 64;
    cells->memory = pages_alloc(cells->memory_bytes);
    if (!cells->memory)
        return -ENOMEM;
    cursor = cells->memory;
    cells->items = pages_carve(&cursor, mark_count * sizeof(struct cell));
    reading->extents = pages_carve(&cursor, mark_count * sizeof(struct extent));
    reading->is_present = pages_carve(&cursor, page_count);
    cells->items[0].words = (void *)cursor;
    return 0;
}

static uint64_t count_words(const struct marks *marks)
{
    uint64_t count = 0;

    for (size_t i = 0; i < marks->count; i++)
        count += marks->items[i].series->cell_words;
    return count;
}

static int prepare(struct reading *reading, const struct marks *marks)
{
    uint64_t word_count = count_words(marks);
    uint64_t *words;
    int error = word_count > WORDS_MAX ? -EFBIG : allocate_cells(reading, marks->count, word_count);

    if (error)
        return error;
    words = reading->cells->items[0].words;
    list_cells(reading->cells, marks);
    for (size_t i = 0; i < reading->cells->count; i++) {
        reading->cells->items[i].words = words;
        words += reading->cells->items[i].word_count;
    }
    list_extents(reading);
    return 0;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* True if the kernel cannot be asked, or does not tell. */
static bool are_all_read(void)
{
    struct sysinfo info;

    return filtered_is() || sysinfo(&info) != 0 || info.freeswap != info.totalswap;
}

static void ask_present(struct reading *reading, const char *start, size_t page_count)
{
    if (reading->are_all_read ||
        mincore((void *)(uintptr_t)start, page_count * CELLS_PAGE_BYTES, reading->is_present) != 0)
        memset(reading->is_present, 1, page_count);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* A word of ticks, if it is among from..to: the double is what is used of it. */
static void add_ticks(double *sum, const uint64_t *source, uint32_t word, uint32_t from, uint32_t to)
{
    if (from <= word && word < to)
        *sum += (double)load(&source[word]);
}

/* Adds the words from..to of a cell in a block. */
static void combine(struct cell *cell, const uint64_t *source, uint32_t from, uint32_t to)
{
    uint32_t summed = to < cell->summed_words ? to : cell->summed_words;
    uint32_t i = from;

    add_ticks(&cell->sum_ticks, source, CELL_SUM_TICKS, from, to);
    if (cell->interval_word)
        add_ticks(&cell->interval_ticks, source, cell->interval_word, from, to);
    for (; i < summed; i++)
        cell->words[i] += load(&source[i]);
    for (; i < to; i++) {
        uint64_t value = load(&source[i]);

        if (segment_is_later(value, cell->words[i]))
            cell->words[i] = value;
    }
}

/* Adds those words from..to of the cell that lie in the page. */
static void add_words(struct cell *cell, const char *block, size_t page, uint32_t from, uint32_t to)
{
    size_t page_start = page * PAGE_WORDS;
    size_t start = cell->offset / 8;

    if (start + from < page_start)
        from = (uint32_t)(page_start - start);
    if (start + to > page_start + PAGE_WORDS)
        to = (uint32_t)(page_start + PAGE_WORDS - start);
    if (from < to)
        combine(cell, (const void *)(block + cell->offset), from, to);
}

/* `first` is the first cell that may end behind the page's first byte; returns that of the next page. */
static size_t add_page(struct reading *reading, const char *block, size_t page, size_t first, bool is_starts)
{
    struct cells *cells = reading->cells;
    uint64_t page_start = page * CELLS_PAGE_BYTES;

    while (first < cells->count && cells->items[first].offset + cells->items[first].word_count * 8 <= page_start)
        first++;
    for (size_t i = first; i < cells->count && cells->items[i].offset < page_start + CELLS_PAGE_BYTES; i++) {
        struct cell *cell = &cells->items[i];

        if (!is_starts)
            add_words(cell, block, page, CELL_STARTED + 1, cell->word_count);
        else if (cell->offset >= page_start)
            add_words(cell, block, page, CELL_STARTED, CELL_STARTED + 1);
    }
    return first;
}

static void add_block(struct reading *reading, const char *block, bool is_starts)
{
    for (size_t i = 0; i < reading->extent_count; i++) {
        const struct extent *extent = &reading->extents[i];
        size_t first = extent->first_cell;

        ask_present(reading, block + extent->first_page * CELLS_PAGE_BYTES, extent->page_count);
        for (size_t page = 0; page < extent->page_count; page++)
            if (reading->is_present[page] & 1)
                first = add_page(reading, block, extent->first_page + page, first, is_starts);
    }
}

int cells_read(const struct view *view, const struct view_series *series, size_t series_count, struct cells *ret_cells)
{
    struct reading reading = {.view = view, .cells = ret_cells, .are_all_read = are_all_read()};
    struct marks marks = {0};
    int error;

    *ret_cells = (struct cells){0};
    error = find_places(series, series_count, &marks);
    if (!error && marks.count)
        error = prepare(&reading, &marks);
    pages_free(marks.memory, marks.memory_bytes);
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

const struct cell *cells_find(struct cells *cells, uint64_t offset)
{
    size_t low = 0;
    size_t high = cells->count;

    if (cells->next < cells->count && cells->items[cells->next].offset == offset)
        return &cells->items[cells->next++];
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (cells->items[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    cells->next = low + 1;
    return &cells->items[low];
}

void cells_finish(struct cells *cells)
{
    pages_free(cells->memory, cells->memory_bytes);
    *cells = (struct cells){0};
}
