#include "preload/control/state/old_judge.h"

#include <stdbool.h>
#include <stddef.h>

#define COUNT_MAX  (UINT64_C(1) << 60)
#define EVENTS_MAX (UINT64_C(1) << 32) /* of what is rare: panics, files that could not be used */
#define OPEN_MAX   (UINT64_C(1) << 20) /* calls in progress, of each block */
#define CALL_MAX   3.2e8               /* seconds, ten years: no call lasts longer */
#define STRAY_MAX  3600.0              /* seconds, of a call whose bucket was not written any more */

/* A thread that is killed between two additions leaves two numbers that differ by one; those that are added up over
 * many runs differ by a few. */
#define SLACK 8

/* What is compared: of one cell, or of all cells of a series, where calls move from one to another. */
struct tally {
    uint64_t started;
    uint64_t ended;
    uint64_t returned; /* or thrown, or throttled: they have a duration */
    uint64_t errors;
    uint64_t error_types;
    uint64_t in_buckets;
    uint64_t intervals;
    double seconds;
    double seconds_most; /* as the buckets say */
};

static uint64_t sum_words(const uint64_t *words, uint32_t count)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += words[i];
    return sum;
}

static double most_seconds(const struct segment_header *fresh, const struct segment_series *series,
                           const uint64_t *buckets)
{
    const double *bounds = (const double *)((const char *)fresh + series->bounds);
    double most = (double)buckets[series->bucket_count] * CALL_MAX;

    for (uint32_t i = 0; i < series->bucket_count; i++)
        most += (double)buckets[i] * bounds[i];
    return most;
}

static void tally_add(struct tally *tally, const struct old_file *file, const struct old_cell *cell)
{
    const struct segment_series *series = cell->series;
    const uint64_t *words = cell->words;

    tally->started += words[CELL_STARTED];
    tally->ended += old_counters_ended(words);
    tally->returned += words[CELL_SUCCESS] + words[CELL_ERROR] + words[CELL_THROTTLED];
    tally->errors += words[CELL_ERROR];
    if (series->errors_word)
        tally->error_types += sum_words(&words[series->errors_word], series->error_count);
    if (series->interval_word)
        tally->intervals += sum_words(&words[series->interval_word + 1], series->bucket_count + 1);
    if (series->skipped_word)
        tally->intervals -=
            words[series->skipped_word] < tally->intervals ? words[series->skipped_word] : tally->intervals;
    tally->in_buckets += sum_words(&words[CELL_BUCKETS], series->bucket_count + 1);
    tally->seconds += (double)words[CELL_SUM_TICKS] * file->header.seconds_per_tick;
    tally->seconds_most += most_seconds(file->fresh, series, &words[CELL_BUCKETS]);
}

static bool is_more(uint64_t number, uint64_t than, uint64_t slack)
{
    return number > than && number - than > slack;
}

/* What is wrong, or NULL. The buckets of sampled calls have weights. */
static const char *tally_trouble(const struct tally *tally, const struct segment_series *series, uint32_t block_count)
{
    uint64_t slack = SLACK + block_count;

    if (series->has_no_duration)
        return NULL;
    if (is_more(tally->ended, tally->started, slack))
        return "more calls ended than began";
    if (is_more(tally->started, tally->ended, block_count * OPEN_MAX))
        return "more calls are in progress than there can be";
    if (is_more(tally->error_types, tally->errors, slack))
        return "more errors have a type than there are";
    if (is_more(tally->intervals, tally->started, slack))
        return "there are more intervals than calls";
    if (!series->sampling && is_more(tally->in_buckets, tally->returned, slack))
        return "more calls have a duration than returned";
    if (tally->seconds > tally->seconds_most * 1.001 + STRAY_MAX)
        return "the calls lasted longer than their histogram says";
    return NULL;
}

/* The words of a cell that are counts. */
static bool is_beyond_measure(const struct old_cell *cell)
{
    for (uint32_t word = CELL_STARTED + 1; word < cell->series->summed_words; word++)
        if (cell->words[word] >= COUNT_MAX && !old_counters_is_sum(cell->series, word))
            return true;
    return false;
}

/* A call in progress counts as abandoned. Fewer starts than ends: the thread was killed in between. */
static void settle(const struct old_cell *cell)
{
    uint64_t *words = cell->words;
    uint64_t ended = old_counters_ended(words);

    if (cell->series->has_no_duration)
        return;
    if ((int64_t)(words[CELL_STARTED] - ended) > 0)
        words[CELL_ABANDONED + ABANDONED_PROCESS_DEATH] += words[CELL_STARTED] - ended;
    else
        words[CELL_STARTED] = ended;
}

/* The cells of one series stand together: from `begin` on. */
static size_t series_end(const struct old_counters *counters, size_t begin)
{
    size_t end = begin + 1;

    while (end < counters->count && counters->cells[end].series == counters->cells[begin].series)
        end++;
    return end;
}

static const char *judge_cells(const struct old_counters *counters, const struct old_file *file, size_t begin,
                               size_t end)
{
    struct tally tally = {0};

    for (size_t i = begin; i < end; i++) {
        if (is_beyond_measure(&counters->cells[i]))
            return "a count is beyond all measure";
        tally_add(&tally, file, &counters->cells[i]);
    }
    return tally_trouble(&tally, counters->cells[begin].series, file->header.block_count);
}

static const char *judge_series(const struct old_counters *counters, const struct old_file *file, size_t begin,
                                size_t end)
{
    const char *trouble = NULL;

    if (counters->cells[begin].series->entry_cells)
        return judge_cells(counters, file, begin, end);
    for (size_t i = begin; i < end && !trouble; i++)
        trouble = judge_cells(counters, file, i, i + 1);
    return trouble;
}

int old_judge_counters(struct old_counters *counters, struct old_file *file)
{
    for (size_t begin = 0, end; begin < counters->count; begin = end) {
        const char *trouble;

        end = series_end(counters, begin);
        trouble = judge_series(counters, file, begin, end);
        if (trouble)
            return old_file_damaged(file, trouble);
    }
    for (size_t i = 0; i < counters->count; i++)
        settle(&counters->cells[i]);
    return 0;
}

/* Panics ----------------------------------------------------------------------------------------------------------- */

static uint64_t panics_of_signal(const struct old_panics *panics, uint32_t rows, uint32_t signal)
{
    uint64_t sum = 0;

    for (uint32_t row = 0; row <= rows; row++)
        sum += panics->counts[(uint64_t)row * SEGMENT_SIGNALS_MAX + signal];
    return sum;
}

static bool is_any_more(const uint64_t *numbers, uint64_t count, uint64_t than)
{
    for (uint64_t i = 0; i < count; i++)
        if (numbers[i] > than)
            return true;
    return false;
}

static const char *judge_recovered(const struct old_panics *panics, uint32_t rows)
{
    for (uint32_t row = 0; row < rows; row++)
        if (is_more(panics->recovered[row],
                    sum_words(&panics->counts[(uint64_t)row * SEGMENT_SIGNALS_MAX], SEGMENT_SIGNALS_MAX), SLACK))
            return "more panics of a function became returns than there are";
    return NULL;
}

static const char *judge_tables(const struct old_panics *panics, const struct segment_header *old, uint32_t rows)
{
    if (is_any_more(panics->counts, (rows + UINT64_C(1)) * SEGMENT_SIGNALS_MAX, EVENTS_MAX) ||
        is_any_more(panics->recovered, rows, EVENTS_MAX))
        return "a count of panics is beyond all measure";
    for (uint32_t i = 0; i < SEGMENT_SIGNALS_MAX; i++) {
        uint64_t sum = panics_of_signal(panics, rows, i);

        if (is_more(sum, old->fatal_signals[i], SLACK) || is_more(old->fatal_signals[i], sum, SLACK))
            return "the panics of the functions are not the fatal signals that were taken";
    }
    return judge_recovered(panics, rows);
}

int old_judge_panics(const struct old_panics *panics, struct old_file *file)
{
    const struct segment_header *old = &file->header;
    const char *trouble = NULL;

    if (is_any_more(old->fatal_signals, SEGMENT_SIGNALS_MAX, EVENTS_MAX) ||
        is_any_more(old->state_errors, SEGMENT_STATE_ERRORS, EVENTS_MAX))
        trouble = "a count of fatal signals or of state errors is beyond all measure";
    else if (panics->counts)
        trouble = judge_tables(panics, old, file->fresh->function_capacity);
    return trouble ? old_file_damaged(file, trouble) : 0;
}
