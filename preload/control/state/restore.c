/* What the last run counted, once it was read: the tuples find their places in the new tables, and the sums are added
 * to the shared block. */
#include "preload/control/state/restore.h"

#include <stdlib.h>

#include "preload/calls/tuples.h"
#include "preload/control/state/old_counters.h"
#include "preload/control/state/old_file.h"
#include "preload/control/state/old_judge.h"
#include "preload/control/state/old_values.h"

#define AGE_MAX     3.2e8 /* seconds, ten years: a moment before is none */
#define NANOSECONDS 1e-9

/* From the last run's clock to this one's. */
struct clock_change {
    struct segment_moment then; /* one moment of the last run */
    double then_tick;           /* seconds */
    struct segment_moment now;
    double now_tick;
};

struct restore {
    struct segment_header *segment;
    struct clock_change clock;
    struct old_file file;
    struct old_tables tables;
    struct old_counters counters;
    struct old_panics panics;
};

static void *at(const struct segment_header *segment, uint64_t offset)
{
    return (char *)segment + offset;
}

static void add(uint64_t *word, uint64_t value)
{
    if (value)
        __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static uint64_t scale(const struct clock_change *clock, uint64_t ticks)
{
    long double scaled = (long double)ticks * (long double)(clock->then_tick / clock->now_tick);

    return scaled < 9e18L ? (uint64_t)(scaled + 0.5L) : INT64_MAX;
}

/* The same moment by the clock of now, never later than now; 0 if it is too long ago. */
static int64_t move_moment(const struct clock_change *clock, int64_t ticks)
{
    double age = (double)(int64_t)((uint64_t)clock->now.unix_ns - (uint64_t)clock->then.unix_ns) * NANOSECONDS +
                 (double)(int64_t)(clock->then.ticks - (uint64_t)ticks) * clock->then_tick;
    int64_t moved;

    if (!(age < AGE_MAX))
        return 0;
    if (age < 0)
        age = 0;
    moved = (int64_t)clock->now.ticks - (int64_t)(age / clock->now_tick + 0.5);
    return moved ? moved : -1;
}

static void set_latest(uint64_t *word, uint64_t value)
{
    if (segment_is_later(value, *word))
        *word = value;
}

static void apply_moments(const struct clock_change *clock, const struct old_cell *cell, uint64_t *to)
{
    const struct segment_series *series = cell->series;
    const uint64_t *words = cell->words;

    if (series->last_start_word && words[series->last_start_word])
        set_latest(&to[series->last_start_word], (uint64_t)move_moment(clock, (int64_t)words[series->last_start_word]));
    if (series->last_success_word && words[series->last_success_word])
        set_latest(&to[series->last_success_word],
                   (uint64_t)move_moment(clock, (int64_t)words[series->last_success_word]));
    if (series->last_finish_word && words[series->last_finish_word]) {
        uint64_t finish = words[series->last_finish_word];
        uint64_t moved = (uint64_t)move_moment(clock, (int64_t)finish >> 1);

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
    const struct old_values *errors = old_values_find(&restore->tables, series->error_values);
    uint32_t place = cell->values ? cell->values->places[cell->place] : 0;
    uint64_t *to = at(restore->segment, restore->segment->blocks + old_counters_offset(cell, place));

    for (uint32_t i = 0; i < series->summed_words; i++)
        add(&to[new_word(series, errors, i)],
            old_counters_is_sum(series, i) ? scale(&restore->clock, cell->words[i]) : cell->words[i]);
    apply_moments(&restore->clock, cell, to);
}

static void place_keys(struct segment_header *segment, restore_add add_key, const struct old_values *values)
{
    struct tuples tuples = tuples_of(segment, values->offset);

    for (uint32_t i = 0; i <= tuples.capacity; i++)
        values->places[i] = tuples.capacity;
    for (uint32_t i = 0; i < values->count; i++) {
        const uint64_t *key = values->keys + (uint64_t)i * tuples.key_words;
        uint32_t words = old_values_key_words(segment, values->fresh, key);
        uint64_t hash = tuples_hash(key, words);
        uint32_t slot;

        values->places[i] = tuples_look_up(&tuples, key, words, hash, &slot);
        if (values->places[i] == tuples.capacity)
            values->places[i] = add_key(&tuples, key, words, hash);
    }
}

static void apply_signal(const struct restore *restore, uint32_t old, uint32_t fresh)
{
    struct segment_header *segment = restore->segment;
    uint64_t *panics = at(segment, segment->panics);

    add(&segment->fatal_signals[fresh], restore->file.header.fatal_signals[old]);
    for (uint32_t row = 0; restore->panics.counts && row <= segment->function_capacity; row++)
        add(&panics[row * SEGMENT_SIGNALS_MAX + fresh], restore->panics.counts[row * SEGMENT_SIGNALS_MAX + old]);
}

static void apply_panics(const struct restore *restore)
{
    const struct segment_header *old = &restore->file.header;
    struct segment_header *segment = restore->segment;
    uint64_t *recovered = at(segment, segment->recovered);

    for (uint32_t i = 0; i < old->signal_count; i++)
        for (uint32_t j = 0; j < segment->signal_count; j++)
            if (old->signals[i] == segment->signals[j])
                apply_signal(restore, i, j);
    for (uint32_t i = 0; restore->panics.counts && i < segment->function_capacity; i++)
        add(&recovered[i], restore->panics.recovered[i]);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++)
        add(&segment->state_errors[i], old->state_errors[i]);
}

static void apply(const struct restore *restore, restore_add add_key)
{
    for (size_t i = 0; i < restore->tables.count; i++)
        place_keys(restore->segment, add_key, &restore->tables.tables[i]);
    for (size_t i = 0; i < restore->counters.count; i++)
        apply_cell(restore, &restore->counters.cells[i]);
    apply_panics(restore);
}

static int read_panics(struct old_panics *panics, struct old_file *file)
{
    const struct segment_header *fresh = file->fresh;
    uint64_t rows = fresh->function_capacity;
    uint64_t counts = (rows + 1) * SEGMENT_SIGNALS_MAX;
    int result;

    if (!fresh->panics)
        return 0;
    panics->counts = calloc(counts + rows + 1, 8);
    if (!panics->counts)
        return old_file_no_memory(file);
    panics->recovered = panics->counts + counts;
    result = old_file_read(file, panics->counts, counts * 8, fresh->panics);
    if (result == 0)
        result = old_file_read(file, panics->recovered, rows * 8, fresh->recovered);
    return result;
}

/* All of it, before any of it is added. */
static int read_all(struct restore *restore, int fd, struct diag *diag)
{
    int result = old_file_init(&restore->file, restore->segment, fd, diag);

    if (result == 0)
        result = read_panics(&restore->panics, &restore->file);
    if (result == 0)
        result = old_judge_panics(&restore->panics, &restore->file);
    if (result == 0)
        result = old_values_read(&restore->tables, &restore->file);
    if (result == 0)
        result = old_counters_read(&restore->counters, &restore->file, &restore->tables);
    return result;
}

static struct clock_change clock_change_of(const struct segment_header *old, const struct segment_header *fresh,
                                           const struct segment_moment *now)
{
    return (struct clock_change){
        .then = old->moments[old->moment],
        .then_tick = old->seconds_per_tick,
        .now = *now,
        .now_tick = fresh->seconds_per_tick,
    };
}

int restore_counts(struct segment_header *segment, int fd, const struct segment_moment *now, restore_add add_key,
                   enum segment_state_error *ret_error, struct diag *diag)
{
    struct restore restore = {.segment = segment};
    int result = read_all(&restore, fd, diag);

    if (result == 0) {
        restore.clock = clock_change_of(&restore.file.header, segment, now);
        apply(&restore, add_key);
    } else {
        *ret_error = restore.file.error;
    }
    old_counters_finish(&restore.counters);
    old_values_finish(&restore.tables);
    free(restore.panics.counts);
    return result;
}
