/* The old file's counters, as old_counters.c has found them: the tuples find their places in the new tables, and the
 * sums are added to the shared block. */
#include "preload/control/state/restore.h"

#include "preload/calls/tuples.h"
#include "preload/control/state/old_counters.h"

#define AGE_MAX     3.2e8 /* seconds, ten years: a moment before is none */
#define NANOSECONDS 1e-9

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
    const struct old_values *errors = restore_find_values(restore, series->error_values);
    uint32_t place = cell->values ? cell->values->places[cell->place] : 0;
    uint64_t *to = restore_at(restore->segment, restore->segment->blocks + restore_cell_offset(cell, place));

    for (uint32_t i = 0; i < series->summed_words; i++)
        add(&to[new_word(series, errors, i)],
            restore_is_sum(series, i) ? scale(restore, cell->words[i]) : cell->words[i]);
    apply_moments(restore, cell, to);
}

static struct tuples tuples_of(const struct segment_header *segment, struct segment_values *values)
{
    return (struct tuples){
        .values = values,
        .slots = restore_at(segment, values->slots),
        .keys = restore_at(segment, values->keys),
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
        uint32_t words = restore_key_words(restore->segment, values->fresh, key);
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
    uint64_t *panics = restore_at(segment, segment->panics);

    add(&restore->segment->fatal_signals[fresh], restore->old.fatal_signals[old]);
    for (uint32_t row = 0; restore->panics && row <= segment->function_capacity; row++)
        add(&panics[row * SEGMENT_SIGNALS_MAX + fresh], restore->panics[row * SEGMENT_SIGNALS_MAX + old]);
}

static void apply_panics(const struct restore *restore)
{
    struct segment_header *segment = restore->segment;
    uint64_t *recovered = restore_at(segment, segment->recovered);
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

int restore_counts(struct segment_header *segment, int fd, const struct segment_moment *now, restore_add given_add,
                   enum segment_state_error *ret_error, struct diag *diag)
{
    struct restore restore = {.segment = segment, .now = now, .add = given_add, .fd = fd, .diag = diag};
    int result = restore_read(&restore);

    if (result == 0)
        apply(&restore);
    else
        *ret_error = restore.error;
    restore_read_finish(&restore);
    return result;
}
