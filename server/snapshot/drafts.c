/* From places to series: equal label sets are merged, unseen ones dropped. */
#include "server/snapshot/drafts.h"

#include <errno.h>
#include <string.h>

#include "server/common/pages.h"
#include "server/segment/cells.h"
#include "server/segment/values.h"
#include "server/segment/view.h"
#include "server/snapshot/arena.h"
#include "server/snapshot/snapshot.h"

#define INTERVAL_ONE (UINT64_C(1) << 32)

/* A place of a series of the segment. */
struct place {
    const struct view_series *origin;
    const struct view_values *values;
    uint32_t number;
    bool is_entry; /* of calls that are not over, so not all labels are known */
};

static uint64_t word_of(const struct cell *cell, uint32_t word)
{
    return word ? cell->words[word] : 0;
}

/* Room ------------------------------------------------------------------------------------------------------------- */

/* What all places of a series may need. */
struct room {
    uint64_t places;
    uint64_t buckets;
    uint64_t text_bytes;
};

static void add_room(const struct view *view, const struct view_series *origin, const struct view_values *values,
                     struct room *room)
{
    const struct segment_series *source = &origin->source;
    uint64_t places = view_place_count(values);
    size_t length;

    view_labels(view, source->labels, &length);
    room->places += places;
    room->buckets += places * (source->bucket_count + 1) * (source->interval_word ? 2 : 1);
    if (values->label_count)
        room->text_bytes += places * values_labels_bytes_max(view, values, length);
}

static int allocate_result(struct drafts *drafts, const struct room *room)
{
    size_t series_bytes = room->places * sizeof(struct snapshot_series);
    char *cursor = arena_alloc(drafts->snapshot, series_bytes + room->buckets * 8 + room->text_bytes + 64);

    if (!cursor)
        return -ENOMEM;
    drafts->snapshot->series = pages_carve(&cursor, series_bytes);
    drafts->buckets = pages_carve(&cursor, room->buckets * 8);
    drafts->text = cursor;
    return 0;
}

static int allocate(struct drafts *drafts, const struct room *room)
{
    drafts->items_bytes = room->places * sizeof(struct draft);
    drafts->items = pages_alloc(drafts->items_bytes);
    if (!drafts->items || keyset_init(&drafts->set, room->places) != 0)
        return -ENOMEM;
    return allocate_result(drafts, room);
}

/* Labels ----------------------------------------------------------------------------------------------------------- */

/* The labels that are not function, module or kind. */
static const char *read_place_labels(struct drafts *drafts, const struct place *place, size_t *ret_length)
{
    const char *labels = view_labels(drafts->view, place->origin->source.labels, ret_length);
    char *text = drafts->text;

    if (!place->values->label_count)
        return labels;
    *ret_length = values_write_labels(drafts->view, place->values, place->number, labels, text);
    drafts->text += *ret_length + 1;
    return text;
}

/* Fills in the texts of a series, and the key at its draft's index. */
static void read_labels(struct drafts *drafts, const struct place *place, uint32_t index,
                        struct snapshot_series *ret_series)
{
    const struct segment_function *function = &drafts->view->functions[place->origin->source.function];
    struct key *key = &drafts->set.keys[index];

    *ret_series = (struct snapshot_series){
        .function = view_text(drafts->view, function->name),
        .module = view_text(drafts->view, function->module),
        .kind = view_text(drafts->view, place->origin->source.kind),
    };
    key_set(key, 0, ret_series->function);
    key_set(key, 1, ret_series->module);
    key_set(key, 2, ret_series->kind);
    ret_series->labels = read_place_labels(drafts, place, &key->lengths[3]);
    key->parts[3] = ret_series->labels;
    key_set(key, 4, "");
}

/* Was the cell of the latest draft with these labels counted in already? */
static bool is_counted(const struct drafts *drafts, const struct draft *draft)
{
    for (uint32_t i = draft->previous; i; i = drafts->items[i - 1].previous)
        if (drafts->items[i - 1].cell == draft->cell)
            return true;
    return false;
}

/* Makes the next draft. Returns the first one that has its labels, which may be that itself. */
static struct draft *begin_draft(struct drafts *drafts, const struct place *place, const struct cell *cell)
{
    struct snapshot *snapshot = drafts->snapshot;
    uint32_t index = (uint32_t)drafts->count++;
    struct draft *draft = &drafts->items[index];
    struct draft *first;
    char *text = drafts->text;

    read_labels(drafts, place, index, &snapshot->series[snapshot->series_count]);
    *draft = (struct draft){.origin = place->origin, .cell = cell, .first = keyset_insert(&drafts->set, index)};
    first = &drafts->items[draft->first];
    if (first == draft) {
        draft->series = snapshot->series_count++;
    } else {
        draft->previous = first->last + 1;
        drafts->text = text;
    }
    first->last = index;
    draft->is_repeated = is_counted(drafts, draft);
    return first;
}

/* Numbers ---------------------------------------------------------------------------------------------------------- */

uint64_t drafts_count_finished(const struct view_series *origin, const struct cell *cell)
{
    uint64_t count = word_of(cell, origin->source.skipped_word) + cell->words[CELL_SUCCESS] + cell->words[CELL_ERROR] +
                     cell->words[CELL_THROTTLED] + cell->words[CELL_PANIC];

    for (int i = 0; i < SEGMENT_ABANDONED_REASONS; i++)
        count += cell->words[CELL_ABANDONED + i];
    return count;
}

static void add_outcomes(struct snapshot_series *series, const struct segment_series *source, const struct cell *cell)
{
    static const enum segment_cell_word words[] = {CELL_SUCCESS, CELL_ERROR, CELL_THROTTLED, CELL_PANIC};

    for (int i = 0; i < OUTCOME_ABANDONED; i++)
        series->outcomes[i] += cell->words[words[i]];
    series->outcomes[OUTCOME_SUCCESS] += word_of(cell, source->skipped_word);
    for (int i = 0; i < SEGMENT_ABANDONED_REASONS; i++) {
        series->abandoned[i] += cell->words[CELL_ABANDONED + i];
        series->outcomes[OUTCOME_ABANDONED] += cell->words[CELL_ABANDONED + i];
    }
}

/* Series of equal labels but other bounds cannot be one histogram: the first ones' bounds win, and the durations of the
 * others are not shown. */
static bool has_bounds(const struct drafts *drafts, struct snapshot_series *series, const struct segment_series *source)
{
    const double *bounds = view_bounds(drafts->view, source);

    if (series->bounds)
        return series->bucket_count == source->bucket_count &&
               (!source->bucket_count || memcmp(series->bounds, bounds, source->bucket_count * sizeof(double)) == 0);
    series->bounds = bounds;
    series->bucket_count = source->bucket_count;
    return true;
}

static void add_histogram(struct drafts *drafts, struct snapshot_histogram *histogram, uint32_t bucket_count,
                          const uint64_t *buckets, double ticks)
{
    if (!histogram->is_shown) {
        histogram->is_shown = true;
        histogram->buckets = drafts->buckets;
        drafts->buckets += bucket_count + 1;
    }
    for (uint32_t i = 0; i <= bucket_count; i++) {
        histogram->buckets[i] += buckets[i];
        histogram->count += buckets[i];
    }
    histogram->sum_seconds += ticks * drafts->view->header.seconds_per_tick;
}

static void add_histograms(struct drafts *drafts, struct snapshot_series *series, const struct segment_series *source,
                           const struct cell *cell)
{
    if ((source->has_no_duration && !source->interval_word) || !has_bounds(drafts, series, source))
        return;
    if (!source->has_no_duration)
        add_histogram(drafts, &series->durations, source->bucket_count, cell->words + CELL_BUCKETS, cell->sum_ticks);
    if (source->interval_word)
        add_histogram(drafts, &series->intervals, source->bucket_count, cell->words + source->interval_word + 1,
                      cell->interval_ticks);
}

/* Calls per timed call; 1 where all are timed. */
static double sample_interval(const struct view *view, const struct segment_series *source)
{
    /* Without sampling this is the header, and not looked at. */
    const struct segment_sampling *sampling = (const void *)((const char *)view->segment + source->sampling);
    uint64_t interval = source->sampling ? __atomic_load_n(&sampling->interval, __ATOMIC_RELAXED) : 0;

    return interval > INTERVAL_ONE ? (double)interval / (double)INTERVAL_ONE : 1;
}

/* Calls that are not looked at are not known to be in progress; those whose labels are not known are so elsewhere. */
static void add_active(struct draft *draft, struct snapshot_series *series, const struct place *place,
                       const struct cell *cell, double interval)
{
    const struct segment_series *source = &place->origin->source;

    if (source->has_no_duration || (source->entry_cells && !place->is_entry))
        return;
    series->active.is_shown = true;
    if (source->skipped_word && interval > 1)
        draft->is_active_hidden = true;
    draft->started += cell->words[CELL_STARTED];
    draft->finished += drafts_count_finished(place->origin, cell) - word_of(cell, source->skipped_word);
}

static void keep_latest(uint64_t *latest, const struct cell *cell, uint32_t word)
{
    if (segment_is_later(word_of(cell, word), *latest))
        *latest = word_of(cell, word);
}

static void add_moments(struct draft *draft, struct snapshot_series *series, const struct segment_series *source,
                        const struct cell *cell)
{
    series->last_call.is_shown |= source->last_start_word != 0;
    series->last_success.is_shown |= source->last_success_word != 0;
    keep_latest(&draft->last_start, cell, source->last_start_word);
    keep_latest(&draft->last_success, cell, source->last_success_word);
    if (source->is_health_check)
        keep_latest(&draft->last_finish, cell, source->last_finish_word);
}

static void add_numbers(struct drafts *drafts, struct draft *first, const struct place *place, const struct cell *cell)
{
    struct snapshot_series *series = &drafts->snapshot->series[first->series];
    const struct segment_series *source = &place->origin->source;
    double interval = sample_interval(drafts->view, source);

    add_active(first, series, place, cell, interval);
    if (place->is_entry && !drafts_count_finished(place->origin, cell))
        return;
    series->has_outcomes = true;
    add_outcomes(series, source, cell);
    add_histograms(drafts, series, source, cell);
    add_moments(first, series, source, cell);
    if (source->items_word) {
        series->items.is_shown = true;
        series->items.value += word_of(cell, source->items_word);
    }
    if (!source->has_no_duration) {
        series->sample_interval.is_shown = true;
        if (interval > series->sample_interval.value)
            series->sample_interval.value = interval;
    }
}

/* Places ----------------------------------------------------------------------------------------------------------- */

static bool is_used(const struct view_series *origin, const struct cell *cell)
{
    return cell->words[CELL_STARTED] || drafts_count_finished(origin, cell);
}

/* Does the place appear before it has counted anything? The only one of a series does; so do calls in progress with
 * values that have been seen, or else their gauge would come and go. */
static bool is_there_always(const struct place *place)
{
    if (place->values->label_count)
        return place->is_entry && place->number < place->values->count;
    return true;
}

/* Returns true if the place has counted something. */
static bool add_place(struct drafts *drafts, const struct place *place, uint64_t cell_offset, bool is_glob_called)
{
    const struct segment_series *source = &place->origin->source;
    const struct cell *cell =
        cells_find(drafts->cells, cell_offset + place->number * segment_cell_bytes(source->cell_words));
    bool is_place_used = is_used(place->origin, cell);
    struct draft *first;

    if (!is_place_used && !is_there_always(place))
        return false;
    first = begin_draft(drafts, place, cell);
    if (is_place_used || !source->is_from_glob || is_glob_called)
        first->is_shown = true;
    if (!drafts->items[drafts->count - 1].is_repeated)
        add_numbers(drafts, first, place, cell);
    return is_place_used;
}

static bool add_places(struct drafts *drafts, const struct view_series *origin, bool is_entry, bool is_glob_called)
{
    const struct view_values *values = is_entry ? &origin->entry_values : &origin->values;
    uint64_t cell = is_entry ? origin->source.entry_cell : origin->source.cell;
    bool is_any_used = false;

    for (uint32_t i = 0; i < view_place_count(values); i++) {
        const struct place place = {
            .origin = origin, .values = values, .number = view_place(values, i), .is_entry = is_entry};

        if (add_place(drafts, &place, cell, is_glob_called))
            is_any_used = true;
    }
    return is_any_used;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* No more digits than the clock has. */
static double round_to_microseconds(double seconds)
{
    if (!(seconds > 0 && seconds < 1e12))
        return seconds;
    return (double)(int64_t)(seconds * 1e6 + 0.5) / 1e6;
}

static double unix_time(const struct view *view, const struct snapshot_clock *clock, uint64_t ticks)
{
    int64_t ago = (int64_t)(clock->ticks - ticks);

    return ticks ? round_to_microseconds(clock->unix_seconds - (double)ago * view->header.seconds_per_tick) : 0;
}

/* Ends are read before starts, so an end that was seen has its start. Below zero it can be all the same where a call
 * that is known by its end's labels (segment_series.entry_cells) is taken back on another thread while blocks are read,
 * or comes back from having been left: it is over then, and none is in progress. */
static void settle(const struct drafts *drafts, const struct draft *draft, const struct snapshot_clock *clock,
                   struct snapshot_series *series)
{
    int64_t active = (int64_t)(draft->started - draft->finished);

    series->active.is_shown &= !draft->is_active_hidden;
    series->active.value = active > 0 ? (uint64_t)active : 0;
    series->last_call.is_shown &= clock != NULL;
    series->last_success.is_shown &= clock != NULL;
    if (series->last_call.is_shown)
        series->last_call.value = unix_time(drafts->view, clock, draft->last_start);
    if (series->last_success.is_shown)
        series->last_success.value = unix_time(drafts->view, clock, draft->last_success);
    series->health.is_shown = draft->last_finish != 0;
    series->health.value = draft->last_finish & 1;
}

/* Drops the series that are not to be seen yet; the others move up, in order. */
static void keep_shown(struct drafts *drafts, const struct snapshot_clock *clock)
{
    struct snapshot *snapshot = drafts->snapshot;
    size_t kept = 0;

    for (size_t i = 0; i < drafts->count; i++) {
        struct draft *draft = &drafts->items[i];
        struct snapshot_series *series = &snapshot->series[draft->series];

        if (draft->first != i || !draft->is_shown)
            continue;
        settle(drafts, draft, clock, series);
        draft->series = kept++;
        snapshot->series[draft->series] = *series;
    }
    snapshot->series_count = kept;
}

int drafts_make(const struct view *view, const struct view_series *origins, size_t origin_count, struct cells *cells,
                const struct snapshot_clock *clock, struct snapshot *snapshot, struct drafts *ret_drafts)
{
    struct room room = {0};
    int error;

    *ret_drafts = (struct drafts){.view = view, .cells = cells, .snapshot = snapshot};
    for (size_t i = 0; i < origin_count; i++) {
        add_room(view, &origins[i], &origins[i].values, &room);
        if (origins[i].source.entry_cells)
            add_room(view, &origins[i], &origins[i].entry_values, &room);
    }
    error = allocate(ret_drafts, &room);
    if (error)
        return error;
    for (size_t i = 0; i < origin_count; i++) {
        bool is_called = add_places(ret_drafts, &origins[i], false, false);

        if (origins[i].source.entry_cells)
            add_places(ret_drafts, &origins[i], true, is_called);
    }
    keep_shown(ret_drafts, clock);
    return 0;
}

void drafts_finish(struct drafts *drafts)
{
    keyset_finish(&drafts->set);
    pages_free(drafts->items, drafts->items_bytes);
    *drafts = (struct drafts){0};
}
