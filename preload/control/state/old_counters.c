/* The old file's counters:
 *
 *   list       the cells that this run's series have, at all places that the last run used
 *   sum        each of them over all blocks
 *   judge      are these numbers that counting can have led to (old_judge.c)? */
#include "preload/control/state/old_counters.h"

#include <stdbool.h>
#include <stdlib.h>

#include "preload/control/segment/writer.h"
#include "preload/control/state/old_judge.h"
#include "preload/control/state/sparse_reader.h"

/* Sum -------------------------------------------------------------------------------------------------------------- */

static uint32_t place_count(const struct old_values *values)
{
    return values ? values->count + 1 : 1;
}

/* Of the i-th place in use. */
static uint32_t place_number(const struct old_values *values, uint32_t i)
{
    return values && i == values->count ? values->fresh->capacity : i;
}

/* Places of a series, counted, or also noted. */
static void add_cells(struct old_counters *counters, const struct segment_series *series, uint64_t first,
                      const struct old_values *values)
{
    for (uint32_t i = 0; i < place_count(values); i++) {
        if (counters->cells)
            counters->cells[counters->count] =
                (struct old_cell){.series = series, .values = values, .first = first, .place = place_number(values, i)};
        counters->count++;
    }
}

static int compare_series(const void *a, const void *b)
{
    uint64_t first = (*(const struct segment_series *const *)a)->cell;
    uint64_t second = (*(const struct segment_series *const *)b)->cell;

    return first < second ? -1 : first > second;
}

/* Two names of one place share cells: these are taken once. `sorted` is by cell. */
static void list_cells(struct old_counters *counters, const struct old_tables *tables,
                       const struct segment_series *const *sorted, uint32_t series_count)
{
    counters->count = 0;
    for (uint32_t i = 0; i < series_count; i++) {
        const struct segment_series *series = sorted[i];

        if (i > 0 && sorted[i - 1]->cell == series->cell)
            continue;
        add_cells(counters, series, series->cell, old_values_find(tables, series->values));
        if (series->entry_cells)
            add_cells(counters, series, series->entry_cell, old_values_find(tables, series->entry_values));
    }
}

/* Counts the cells first, then notes them. */
static int make_cells(struct old_counters *counters, struct old_file *file, const struct old_tables *tables)
{
    const struct segment_series *series = (const void *)((const char *)file->fresh + file->fresh->series);
    uint32_t count = file->fresh->series_count;
    const struct segment_series **sorted = calloc(count + UINT64_C(1), sizeof(*sorted));

    if (!sorted)
        return old_file_no_memory(file);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &series[i];
    qsort(sorted, count, sizeof(*sorted), compare_series);
    list_cells(counters, tables, sorted, count);
    counters->cells = calloc(counters->count + 1, sizeof(*counters->cells));
    if (counters->cells)
        list_cells(counters, tables, sorted, count);
    free(sorted);
    return counters->cells ? 0 : old_file_no_memory(file);
}

static int make_words(struct old_counters *counters, struct old_file *file)
{
    uint64_t words = 0;

    for (size_t i = 0; i < counters->count; i++)
        words += counters->cells[i].series->cell_words;
    counters->words = calloc(words + 1, 8);
    if (!counters->words)
        return old_file_no_memory(file);
    for (size_t i = 0, next = 0; i < counters->count; next += counters->cells[i++].series->cell_words)
        counters->cells[i].words = counters->words + next;
    return 0;
}

static uint64_t most_words(const struct old_counters *counters)
{
    uint64_t most = BLOCK_ENDING + 1;

    for (size_t i = 0; i < counters->count; i++)
        if (counters->cells[i].series->cell_words > most)
            most = counters->cells[i].series->cell_words;
    return most;
}

static void keep_latest(uint64_t *latest, const uint64_t *source, uint32_t word)
{
    if (word && segment_is_later(source[word], latest[word]))
        latest[word] = source[word];
}

static void add_block_cell(const struct old_cell *cell, const uint64_t *source)
{
    const struct segment_series *series = cell->series;

    for (uint32_t i = 0; i < series->summed_words; i++)
        cell->words[i] += source[i];
    keep_latest(cell->words, source, series->last_start_word);
    keep_latest(cell->words, source, series->last_success_word);
    keep_latest(cell->words, source, series->last_finish_word);
}

/* What its owner said last of the calls that it had in progress; it may have been killed without a word. */
static int read_ending(struct sparse_reader *reader, uint64_t block, uint64_t *ret_ending)
{
    const uint64_t *words;
    int result = sparse_reader_words(reader, block, BLOCK_ENDING + 1, &words);

    if (result == 0)
        *ret_ending = words && words[BLOCK_ENDING] <= SEGMENT_ABANDONED_REASONS ? words[BLOCK_ENDING] : 0;
    return result;
}

static void add_ending(const struct old_cell *cell, const uint64_t *source, uint64_t ending)
{
    int64_t left = (int64_t)(source[CELL_STARTED] - old_counters_ended(source));

    if (ending && left > 0 && !cell->series->has_no_duration)
        cell->words[CELL_ABANDONED + ending - 1] += (uint64_t)left;
}

static int sum_block(struct old_counters *counters, struct sparse_reader *reader, uint64_t block)
{
    uint64_t ending;
    int result = read_ending(reader, block, &ending);

    for (size_t i = 0; result == 0 && i < counters->count; i++) {
        const struct old_cell *cell = &counters->cells[i];
        const uint64_t *source = NULL;

        result = sparse_reader_words(reader, block + old_counters_offset(cell, cell->place), cell->series->cell_words,
                                     &source);
        if (source) {
            add_block_cell(cell, source);
            add_ending(cell, source, ending);
        }
    }
    return result;
}

static int sum_blocks(struct old_counters *counters, struct old_file *file)
{
    const struct segment_header *old = &file->header;
    struct sparse_reader reader;
    int result = 0;

    if (old->block_count > writer_file_blocks(old->block_bytes))
        return old_file_damaged(file, "it has too many blocks");
    if (sparse_reader_init(&reader, file->fd, most_words(counters)) != 0)
        return old_file_no_memory(file);
    for (uint32_t i = 0; result == 0 && i < old->block_count; i++)
        result = sum_block(counters, &reader, old->blocks + i * old->block_bytes);
    sparse_reader_finish(&reader);
    return old_file_judge(file, result);
}

/* Interface -------------------------------------------------------------------------------------------------------- */

int old_counters_read(struct old_counters *counters, struct old_file *file, const struct old_tables *tables)
{
    int result;

    *counters = (struct old_counters){0};
    result = make_cells(counters, file, tables);
    if (result == 0)
        result = make_words(counters, file);
    if (result == 0)
        result = sum_blocks(counters, file);
    if (result == 0)
        result = old_judge_counters(counters, file);
    return result;
}

void old_counters_finish(struct old_counters *counters)
{
    free(counters->cells);
    free(counters->words);
}
