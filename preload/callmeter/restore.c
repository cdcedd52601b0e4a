/* The old file's counters, by the new segment's tables:
 *
 *   check      header: magic, version, layout, where the blocks lie
 *   tables     the tuples of labels' values: well-formed ones
 *   sum        each cell over all blocks, at all places in use
 *   judge      are these numbers that counting can have led to?
 *   apply      find the tuples their places, add the sums to the shared block */
#include "preload/callmeter/restore.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/callmeter/state_reader.h"
#include "preload/callmeter/writer.h"
#include "preload/tuples.h"
#include "symbols/diag.h"

enum {
    PAGE = 4096,
    KEY_WORDS_MAX = 1024,
};

#define COUNT_MAX     (UINT64_C(1) << 60)
#define TICK_SHORTEST 1e-12
#define TICK_LONGEST  1e-3
#define AGE_MAX       3.2e8 /* seconds, ten years: a moment before is none */
#define NANOSECONDS   1e-9

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
    struct state_reader reader;
    enum segment_state_error error;
    struct diag *diag;
};

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

static void *at(const struct segment_header *segment, uint64_t offset)
{
    return (char *)segment + offset;
}

/* What state_reader.h says; 0 stays 0. */
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
    return judge_read(restore, state_reader_copy(restore->fd, buffer, bytes, offset));
}

/* Check
 * ------------------------------------------------------------------------------------------------------------------------------
 */

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

    if (fstat(restore->fd, &status) != 0 || status.st_size < (off_t)sizeof(*old))
        return damaged(restore, "it is too short");
    if (read_at(restore, &restore->old, sizeof(*old), 0) != 0)
        return -EINVAL;
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

    if (!fresh->panics)
        return 0;
    restore->panics = calloc(1, bytes + rows * 8);
    if (!restore->panics)
        return no_memory(restore);
    if (read_at(restore, restore->panics, bytes, fresh->panics) != 0)
        return -EINVAL;
    return read_at(restore, restore->panics + bytes / 8, (rows - 1) * 8, fresh->recovered);
}

/* Tables
 * -----------------------------------------------------------------------------------------------------------------------------
 */

/* Words of a field; 0 if there are no such fields. */
static uint32_t field_words(const struct segment_value *label, const uint64_t *field)
{
    if (label->type != SEGMENT_VALUE_STRING)
        return field[0] == 0 || field[0] == SEGMENT_VALUE_INVALID ? SEGMENT_SCALAR_FIELD_BYTES / 8 : 0;
    if (field[0] == SEGMENT_VALUE_INVALID)
        return 1;
    return field[0] <= SEGMENT_STRING_BYTES ? ((uint32_t)field[0] + 7) / 8 + 1 : 0;
}

/* As many words of a key as read_field makes; 0: it is no key. */
static uint32_t key_words(const struct segment_header *segment, const struct segment_values *values,
                          const uint64_t *key)
{
    const struct segment_value *labels = at(segment, values->values);
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
        if (key_words(restore->segment, values->fresh, values->keys + (uint64_t)i * values->fresh->key_bytes / 8) == 0)
            return false;
    return true;
}

static int read_values(struct restore *restore, uint64_t offset)
{
    struct old_values *values = &restore->values[restore->values_count];
    struct segment_values *fresh = at(restore->segment, offset);
    struct segment_values old;

    if (read_at(restore, &old, sizeof(old), offset) != 0)
        return -EINVAL;
    if (old.capacity != fresh->capacity || old.value_count != fresh->value_count || old.key_bytes != fresh->key_bytes ||
        old.keys != fresh->keys || old.count > fresh->capacity || fresh->key_bytes / 8 > KEY_WORDS_MAX)
        return damaged(restore, "its tables of labels contradict themselves");
    *values = (struct old_values){.fresh = fresh, .offset = offset, .count = old.count};
    values->keys = calloc((uint64_t)old.count + 1, fresh->key_bytes);
    values->places = calloc((uint64_t)fresh->capacity + 1, sizeof(*values->places));
    restore->values_count++;
    if (!values->keys || !values->places)
        return no_memory(restore);
    if (read_at(restore, values->keys, (uint64_t)old.count * fresh->key_bytes, fresh->keys) != 0)
        return -EINVAL;
    return are_keys(restore, values) ? 0 : damaged(restore, "a label's value is none");
}

static const struct old_values *find_values(const struct restore *restore, uint64_t offset)
{
    for (size_t i = restore->values_count; offset && i-- > 0;)
        if (restore->values[i].offset == offset)
            return &restore->values[i];
    return NULL;
}

/* Series of one function that two names have share their tables; they follow each other closely. */
static int read_tables(struct restore *restore)
{
    const struct segment_series *series = at(restore->segment, restore->segment->series);
    uint32_t count = restore->segment->series_count;

    restore->values = calloc(3 * (uint64_t)count + 1, sizeof(*restore->values));
    if (!restore->values)
        return no_memory(restore);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t offsets[] = {series[i].values, series[i].error_values, series[i].entry_values};

        for (int j = 0; j < 3; j++) {
            int result = 0;

            if (offsets[j] && !find_values(restore, offsets[j]))
                result = read_values(restore, offsets[j]);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

/* Sum
 * --------------------------------------------------------------------------------------------------------------------------------
 */

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
        add_cells(restore, series, series->cell, find_values(restore, series->values));
        if (series->entry_cells)
            add_cells(restore, series, series->entry_cell, find_values(restore, series->entry_values));
    }
}

static int make_cells(struct restore *restore)
{
    const struct segment_series *series = at(restore->segment, restore->segment->series);
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

static uint64_t cell_offset(const struct old_cell *cell, uint32_t place)
{
    return cell->first + place * segment_cell_bytes(cell->series->cell_words);
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

static int sum_block(struct restore *restore, uint64_t block)
{
    for (size_t i = 0; i < restore->cell_count; i++) {
        const struct old_cell *cell = &restore->cells[i];
        const uint64_t *source;
        uint64_t offset = block + cell_offset(cell, cell->place);
        int result = state_reader_words(&restore->reader, offset, cell->series->cell_words, &source);

        if (result != 0)
            return judge_read(restore, result);
        if (source)
            add_block_cell(cell, source);
    }
    return 0;
}

static int sum_blocks(struct restore *restore)
{
    const struct segment_header *old = &restore->old;

    if (state_reader_init(&restore->reader, restore->fd, restore->cell_words_max) != 0)
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

/* Judge
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static bool is_sum(const struct segment_series *series, uint32_t word)
{
    return word == CELL_SUM_TICKS || (series->interval_word && word == series->interval_word);
}

/* A call in progress counts as abandoned. Fewer starts than ends: a page with starts did not come to the disk. */
static void settle(const struct old_cell *cell)
{
    uint64_t *words = cell->words;
    uint64_t ended = words[CELL_SUCCESS] + words[CELL_ERROR] + words[CELL_THROTTLED] + words[CELL_PANIC];

    for (unsigned reason = 0; reason < SEGMENT_ABANDONED_REASONS; reason++)
        ended += words[CELL_ABANDONED + reason];
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
            if (cell->words[word] >= COUNT_MAX && !is_sum(cell->series, word))
                return damaged(restore, "a count is beyond all measure");
        settle(cell);
        if (cell->words[CELL_STARTED] >= COUNT_MAX ||
            cell->words[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] >= COUNT_MAX)
            return damaged(restore, "a count is beyond all measure");
    }
    return 0;
}

/* Apply
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static void add(uint64_t *word, uint64_t value)
{
    if (value)
        __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static uint64_t scale(const struct restore *restore, uint64_t ticks)
{
    long double scaled = (long double)ticks * (long double)restore->ratio;

    return scaled < 9e18L ? (uint64_t)(scaled + 0.5L) : INT64_MAX;
}

/* The same moment by the clock of now, never later than now; 0 if it is too long ago. */
static int64_t move_moment(const struct restore *restore, int64_t ticks)
{
    const struct segment_moment *then = &restore->old.moments[restore->old.moment];
    double age = (double)(int64_t)((uint64_t)restore->now->unix_ns - (uint64_t)then->unix_ns) * NANOSECONDS +
                 (double)(int64_t)(then->ticks - (uint64_t)ticks) * restore->old.seconds_per_tick;
    int64_t moved;

    if (!(age < AGE_MAX))
        return 0;
    if (age < 0)
        age = 0;
    moved = (int64_t)restore->now->ticks - (int64_t)(age / restore->segment->seconds_per_tick + 0.5);
    return moved ? moved : -1;
}

static void set_latest(uint64_t *word, uint64_t value)
{
    if (segment_is_later(value, *word))
        *word = value;
}

static void apply_moments(const struct restore *restore, const struct old_cell *cell, uint64_t *to)
{
    const struct segment_series *series = cell->series;
    const uint64_t *words = cell->words;

    if (series->last_start_word && words[series->last_start_word])
        set_latest(&to[series->last_start_word],
                   (uint64_t)move_moment(restore, (int64_t)words[series->last_start_word]));
    if (series->last_success_word && words[series->last_success_word])
        set_latest(&to[series->last_success_word],
                   (uint64_t)move_moment(restore, (int64_t)words[series->last_success_word]));
    if (series->last_finish_word && words[series->last_finish_word]) {
        uint64_t finish = words[series->last_finish_word];
        uint64_t moved = (uint64_t)move_moment(restore, (int64_t)finish >> 1);

        set_latest(&to[series->last_finish_word], moved ? moved << 1 | (finish & 1) : 0);
    }
}

/* Errors by a value are words by its place. */
static uint32_t new_word(const struct segment_series *series, const struct old_values *errors, uint32_t word)
{
    if (!errors || word < series->errors_word || word >= series->errors_word + series->error_count)
        return word;
    return series->errors_word + errors->places[word - series->errors_word];
}

static void apply_cell(const struct restore *restore, const struct old_cell *cell)
{
    const struct segment_series *series = cell->series;
    const struct old_values *errors = find_values(restore, series->error_values);
    uint32_t place = cell->values ? cell->values->places[cell->place] : 0;
    uint64_t *to = at(restore->segment, restore->segment->blocks + cell_offset(cell, place));

    for (uint32_t i = 0; i < series->summed_words; i++)
        add(&to[new_word(series, errors, i)], is_sum(series, i) ? scale(restore, cell->words[i]) : cell->words[i]);
    apply_moments(restore, cell, to);
}

static struct tuples tuples_of(const struct segment_header *segment, struct segment_values *values)
{
    return (struct tuples){
        .values = values,
        .slots = at(segment, values->slots),
        .keys = at(segment, values->keys),
        .slot_mask = values->slot_mask,
        .key_words = values->key_bytes / 8,
        .capacity = values->capacity,
    };
}

static void place_keys(const struct restore *restore, const struct old_values *values)
{
    struct tuples tuples = tuples_of(restore->segment, values->fresh);

    for (uint32_t i = 0; i <= tuples.capacity; i++)
        values->places[i] = tuples.capacity;
    for (uint32_t i = 0; i < values->count; i++) {
        const uint64_t *key = values->keys + (uint64_t)i * tuples.key_words;
        uint32_t words = key_words(restore->segment, values->fresh, key);
        uint64_t hash = tuples_hash(key, words);
        uint32_t slot;

        values->places[i] = tuples_look_up(&tuples, key, words, hash, &slot);
        if (values->places[i] == tuples.capacity)
            values->places[i] = restore->add(&tuples, key, words, hash);
    }
}

static void apply_signal(const struct restore *restore, uint32_t old, uint32_t fresh)
{
    const struct segment_header *segment = restore->segment;
    uint64_t *panics = at(segment, segment->panics);

    add(&restore->segment->fatal_signals[fresh], restore->old.fatal_signals[old]);
    for (uint32_t row = 0; restore->panics && row <= segment->function_capacity; row++)
        add(&panics[row * SEGMENT_SIGNALS_MAX + fresh], restore->panics[row * SEGMENT_SIGNALS_MAX + old]);
}

static void apply_panics(const struct restore *restore)
{
    struct segment_header *segment = restore->segment;
    uint64_t *recovered = at(segment, segment->recovered);
    const uint64_t *old = restore->panics + (segment->function_capacity + UINT64_C(1)) * SEGMENT_SIGNALS_MAX;

    for (uint32_t i = 0; i < restore->old.signal_count; i++)
        for (uint32_t j = 0; j < segment->signal_count; j++)
            if (restore->old.signals[i] == segment->signals[j])
                apply_signal(restore, i, j);
    for (uint32_t i = 0; restore->panics && i < segment->function_capacity; i++)
        add(&recovered[i], old[i]);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++)
        add(&segment->state_errors[i], restore->old.state_errors[i]);
}

static void apply(const struct restore *restore)
{
    for (size_t i = 0; i < restore->values_count; i++)
        place_keys(restore, &restore->values[i]);
    for (size_t i = 0; i < restore->cell_count; i++)
        apply_cell(restore, &restore->cells[i]);
    apply_panics(restore);
}

/* Interface
 * --------------------------------------------------------------------------------------------------------------------------
 */

static void finish(struct restore *restore)
{
    for (size_t i = 0; i < restore->values_count; i++) {
        free(restore->values[i].keys);
        free(restore->values[i].places);
    }
    free(restore->values);
    free(restore->cells);
    free(restore->words);
    free(restore->panics);
    state_reader_finish(&restore->reader);
}

int restore_counts(struct segment_header *segment, int fd, const struct segment_moment *now, restore_add given_add,
                   enum segment_state_error *ret_error, struct diag *diag)
{
    struct restore restore = {.segment = segment, .now = now, .add = given_add, .fd = fd, .diag = diag};
    int result = check_header(&restore);

    if (result == 0)
        result = read_panics(&restore);
    if (result == 0)
        result = read_tables(&restore);
    if (result == 0)
        result = make_cells(&restore);
    if (result == 0)
        result = sum_blocks(&restore);
    if (result == 0)
        result = judge(&restore);
    if (result == 0)
        apply(&restore);
    else
        *ret_error = restore.error;
    finish(&restore);
    return result;
}
