/* The old file's counters:
 *
 *   check      header: magic, version, layout, where the blocks lie
 *   tables     the tuples of labels' values: well-formed ones
 *   sum        each cell over all blocks, at all places in use
 *   judge      are these numbers that counting can have led to? */
#include "preload/control/state/old_counters.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/control/segment/writer.h"
#include "symbols/common/diag.h"

enum {
    PAGE = 4096,
    KEY_WORDS_MAX = 1024,
};

#define COUNT_MAX     (UINT64_C(1) << 60)
#define TICK_SHORTEST 1e-12
#define TICK_LONGEST  1e-3

static int refuse(struct restore *restore, enum segment_state_error error, const char *why)
{
    restore->error = error;
    diag_set(restore->diag, "%s", why);
    return -EINVAL;
}

static int damaged(struct restore *restore, const char *why)
{
    return refuse(restore, STATE_ERROR_DAMAGED, why);
}

static int no_memory(struct restore *restore)
{
    restore->error = STATE_ERROR_IO;
    diag_set(restore->diag, "no memory to read it");
    return -ENOMEM;
}

/* What sparse_reader.h says; 0 stays 0. */
static int judge_read(struct restore *restore, int result)
{
    if (result == 0)
        return 0;
    if (result == -EINVAL)
        return damaged(restore, "it ends too early");
    restore->error = STATE_ERROR_IO;
    diag_set(restore->diag, "it cannot be read: %s", strerror(-result));
    return result;
}

static int read_at(struct restore *restore, void *buffer, uint64_t bytes, uint64_t offset)
{
    return judge_read(restore, sparse_reader_copy(restore->fd, buffer, bytes, offset));
}

/* Check ------------------------------------------------------------------------------------------------------------ */

static bool is_tick(double seconds)
{
    return isfinite(seconds) && seconds >= TICK_SHORTEST && seconds <= TICK_LONGEST;
}

static bool do_blocks_lie_inside(const struct restore *restore, uint64_t file_bytes)
{
    const struct segment_header *old = &restore->old;
    const struct segment_header *fresh = restore->segment;

    return old->blocks % PAGE == 0 && old->blocks >= fresh->text + fresh->text_used && old->blocks <= file_bytes &&
           old->block_count > 0 && old->block_count <= (file_bytes - old->blocks) / fresh->block_bytes;
}

static int check_header(struct restore *restore)
{
    const struct segment_header *old = &restore->old;
    struct stat status;
    int result;

    if (fstat(restore->fd, &status) != 0 || status.st_size < (off_t)sizeof(*old))
        return damaged(restore, "it is too short");
    result = read_at(restore, &restore->old, sizeof(*old), 0);
    if (result != 0)
        return result;
    if (old->magic != SEGMENT_MAGIC)
        return damaged(restore, "no state of callmeter");
    if (old->version != SEGMENT_VERSION || old->header_bytes != sizeof(*old))
        return refuse(restore, STATE_ERROR_VERSION, "of another version of callmeter");
    if (old->layout == 0)
        return damaged(restore, "it was never complete");
    if (old->layout != restore->segment->layout)
        return refuse(restore, STATE_ERROR_MANIFEST, "of another manifest, or of other versions of what it tracks");
    if (old->block_bytes != restore->segment->block_bytes || !is_tick(old->seconds_per_tick) || old->moment > 1 ||
        old->signal_count > SEGMENT_SIGNALS_MAX || !do_blocks_lie_inside(restore, (uint64_t)status.st_size))
        return damaged(restore, "its header contradicts itself, or the file ends too early");
    restore->ratio = old->seconds_per_tick / restore->segment->seconds_per_tick;
    return 0;
}

static int read_panics(struct restore *restore)
{
    const struct segment_header *fresh = restore->segment;
    uint64_t rows = fresh->function_capacity + UINT64_C(1);
    uint64_t bytes = rows * SEGMENT_SIGNALS_MAX * 8;
    int result;

    if (!fresh->panics)
        return 0;
    restore->panics = calloc(1, bytes + rows * 8);
    if (!restore->panics)
        return no_memory(restore);
    result = read_at(restore, restore->panics, bytes, fresh->panics);
    if (result == 0)
        result = read_at(restore, restore->panics + bytes / 8, (rows - 1) * 8, fresh->recovered);
    return result;
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

/* Words of a field; 0 if there are no such fields. */
static uint32_t field_words(const struct segment_value *label, const uint64_t *field)
{
    if (label->type != SEGMENT_VALUE_STRING)
        return field[0] == 0 || field[0] == SEGMENT_VALUE_INVALID ? SEGMENT_SCALAR_FIELD_BYTES / 8 : 0;
    if (field[0] == SEGMENT_VALUE_INVALID)
        return 1;
    return field[0] <= SEGMENT_STRING_BYTES ? ((uint32_t)field[0] + 7) / 8 + 1 : 0;
}

uint32_t restore_key_words(const struct segment_header *segment, const struct segment_values *values,
                           const uint64_t *key)
{
    const struct segment_value *labels = restore_at(segment, values->values);
    uint32_t words = 0;

    for (uint32_t i = 0; i < values->value_count; i++) {
        uint32_t begin = labels[i].key_offset / 8;
        uint32_t field = field_words(&labels[i], key + begin);

        if (field == 0)
            return 0;
        words = begin + field;
    }
    return words;
}

static bool are_keys(const struct restore *restore, const struct old_values *values)
{
    for (uint32_t i = 0; i < values->count; i++)
        if (restore_key_words(restore->segment, values->fresh,
                              values->keys + (uint64_t)i * values->fresh->key_bytes / 8) == 0)
            return false;
    return true;
}

static int read_values(struct restore *restore, uint64_t offset)
{
    struct old_values *values = &restore->values[restore->values_count];
    struct segment_values *fresh = restore_at(restore->segment, offset);
    struct segment_values old;
    int result = read_at(restore, &old, sizeof(old), offset);

    if (result != 0)
        return result;
    if (old.capacity != fresh->capacity || old.value_count != fresh->value_count || old.key_bytes != fresh->key_bytes ||
        old.keys != fresh->keys || old.count > fresh->capacity || fresh->key_bytes / 8 > KEY_WORDS_MAX)
        return damaged(restore, "its tables of labels contradict themselves");
    *values = (struct old_values){.fresh = fresh, .offset = offset, .count = old.count};
    values->keys = calloc((uint64_t)old.count + 1, fresh->key_bytes);
    values->places = calloc((uint64_t)fresh->capacity + 1, sizeof(*values->places));
    restore->values_count++;
    if (!values->keys || !values->places)
        return no_memory(restore);
    result = read_at(restore, values->keys, (uint64_t)old.count * fresh->key_bytes, fresh->keys);
    if (result != 0)
        return result;
    return are_keys(restore, values) ? 0 : damaged(restore, "a label's value is none");
}

const struct old_values *restore_find_values(const struct restore *restore, uint64_t offset)
{
    for (size_t i = restore->values_count; offset && i-- > 0;)
        if (restore->values[i].offset == offset)
            return &restore->values[i];
    return NULL;
}

/* Series of one function that two names have share their tables; they follow each other closely. */
static int read_tables(struct restore *restore)
{
    const struct segment_series *series = restore_at(restore->segment, restore->segment->series);
    uint32_t count = restore->segment->series_count;

    restore->values = calloc(3 * (uint64_t)count + 1, sizeof(*restore->values));
    if (!restore->values)
        return no_memory(restore);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t offsets[] = {series[i].values, series[i].error_values, series[i].entry_values};

        for (int j = 0; j < 3; j++) {
            int result = 0;

            if (offsets[j] && !restore_find_values(restore, offsets[j]))
                result = read_values(restore, offsets[j]);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

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
static void add_cells(struct restore *restore, const struct segment_series *series, uint64_t first,
                      const struct old_values *values)
{
    for (uint32_t i = 0; i < place_count(values); i++) {
        if (restore->cells)
            restore->cells[restore->cell_count] =
                (struct old_cell){.series = series, .values = values, .first = first, .place = place_number(values, i)};
        restore->cell_count++;
    }
}

static int compare_series(const void *a, const void *b)
{
    uint64_t first = (*(const struct segment_series *const *)a)->cell;
    uint64_t second = (*(const struct segment_series *const *)b)->cell;

    return first < second ? -1 : first > second;
}

/* Two names of one place share cells: these are taken once. `sorted` is by cell. */
static void list_cells(struct restore *restore, const struct segment_series *const *sorted)
{
    restore->cell_count = 0;
    for (uint32_t i = 0; i < restore->segment->series_count; i++) {
        const struct segment_series *series = sorted[i];

        if (i > 0 && sorted[i - 1]->cell == series->cell)
            continue;
        add_cells(restore, series, series->cell, restore_find_values(restore, series->values));
        if (series->entry_cells)
            add_cells(restore, series, series->entry_cell, restore_find_values(restore, series->entry_values));
    }
}

static int make_cells(struct restore *restore)
{
    const struct segment_series *series = restore_at(restore->segment, restore->segment->series);
    uint32_t count = restore->segment->series_count;
    const struct segment_series **sorted = calloc(count + UINT64_C(1), sizeof(*sorted));
    uint64_t words = 0;

    if (!sorted)
        return no_memory(restore);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &series[i];
    qsort(sorted, count, sizeof(*sorted), compare_series);
    list_cells(restore, sorted);
    restore->cells = calloc(restore->cell_count + 1, sizeof(*restore->cells));
    if (restore->cells)
        list_cells(restore, sorted);
    free(sorted);
    if (!restore->cells)
        return no_memory(restore);
    for (size_t i = 0; i < restore->cell_count; i++) {
        uint32_t cell_words = restore->cells[i].series->cell_words;

        words += cell_words;
        if (cell_words > restore->cell_words_max)
            restore->cell_words_max = cell_words;
    }
    restore->words = calloc(words + 1, 8);
    if (!restore->words)
        return no_memory(restore);
    for (size_t i = 0, next = 0; i < restore->cell_count; next += restore->cells[i++].series->cell_words)
        restore->cells[i].words = restore->words + next;
    return 0;
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
static int read_ending(struct restore *restore, uint64_t block, uint64_t *ret_ending)
{
    const uint64_t *words;
    int result = sparse_reader_words(&restore->reader, block, BLOCK_ENDING + 1, &words);

    if (result == 0)
        *ret_ending = words && words[BLOCK_ENDING] <= SEGMENT_ABANDONED_REASONS ? words[BLOCK_ENDING] : 0;
    return result;
}

static uint64_t ended_calls(const uint64_t *words)
{
    uint64_t ended = words[CELL_SUCCESS] + words[CELL_ERROR] + words[CELL_THROTTLED] + words[CELL_PANIC];

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        ended += words[CELL_ABANDONED + reason];
    return ended;
}

static void add_ending(const struct old_cell *cell, const uint64_t *source, uint64_t ending)
{
    int64_t left = (int64_t)(source[CELL_STARTED] - ended_calls(source));

    if (ending && left > 0 && !cell->series->has_no_duration)
        cell->words[CELL_ABANDONED + ending - 1] += (uint64_t)left;
}

static int sum_block(struct restore *restore, uint64_t block)
{
    uint64_t ending;
    int result = read_ending(restore, block, &ending);

    if (result != 0)
        return judge_read(restore, result);
    for (size_t i = 0; i < restore->cell_count; i++) {
        const struct old_cell *cell = &restore->cells[i];
        const uint64_t *source;
        uint64_t offset = block + restore_cell_offset(cell, cell->place);

        result = sparse_reader_words(&restore->reader, offset, cell->series->cell_words, &source);
        if (result != 0)
            return judge_read(restore, result);
        if (source) {
            add_block_cell(cell, source);
            add_ending(cell, source, ending);
        }
    }
    return 0;
}

static int sum_blocks(struct restore *restore)
{
    const struct segment_header *old = &restore->old;

    if (sparse_reader_init(&restore->reader, restore->fd, restore->cell_words_max) != 0)
        return no_memory(restore);
    if (old->block_count > writer_file_blocks(old->block_bytes))
        return damaged(restore, "it has too many blocks");
    for (uint32_t i = 0; i < old->block_count; i++) {
        int result = sum_block(restore, old->blocks + i * old->block_bytes);

        if (result != 0)
            return result;
    }
    return 0;
}

/* Judge ------------------------------------------------------------------------------------------------------------ */

/* A call in progress counts as abandoned. Fewer starts than ends: a page with starts did not come to the disk. */
static void settle(const struct old_cell *cell)
{
    uint64_t *words = cell->words;
    uint64_t ended = ended_calls(words);

    if (cell->series->has_no_duration)
        return;
    if ((int64_t)(words[CELL_STARTED] - ended) > 0)
        words[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] += words[CELL_STARTED] - ended;
    else
        words[CELL_STARTED] = ended;
}

static int judge(struct restore *restore)
{
    for (size_t i = 0; i < restore->cell_count; i++) {
        const struct old_cell *cell = &restore->cells[i];

        for (uint32_t word = CELL_STARTED + 1; word < cell->series->summed_words; word++)
            if (cell->words[word] >= COUNT_MAX && !restore_is_sum(cell->series, word))
                return damaged(restore, "a count is beyond all measure");
        settle(cell);
        if (cell->words[CELL_STARTED] >= COUNT_MAX ||
            cell->words[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] >= COUNT_MAX)
            return damaged(restore, "a count is beyond all measure");
    }
    return 0;
}

/* Interface -------------------------------------------------------------------------------------------------------- */

void restore_read_finish(struct restore *restore)
{
    for (size_t i = 0; i < restore->values_count; i++) {
        free(restore->values[i].keys);
        free(restore->values[i].places);
    }
    free(restore->values);
    free(restore->cells);
    free(restore->words);
    free(restore->panics);
    sparse_reader_finish(&restore->reader);
}

int restore_read(struct restore *restore)
{
    int result = check_header(restore);

    if (result == 0)
        result = read_panics(restore);
    if (result == 0)
        result = read_tables(restore);
    if (result == 0)
        result = make_cells(restore);
    if (result == 0)
        result = sum_blocks(restore);
    if (result == 0)
        result = judge(restore);
    return result;
}
