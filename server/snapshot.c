/* From the segment to the series that an exposition shows: cells summed, equal label sets merged, unseen ones dropped.
 */
#include "server/snapshot.h"

#include <errno.h>
#include <string.h>

#include "server/buffer.h"
#include "server/cells.h"
#include "server/keyset.h"
#include "server/view.h"

/* A series under way. */
struct draft {
    struct snapshot_series *series;
    const struct cell *cell;
    uint32_t previous; /* index and one of the series before with equal labels, or 0 */
    uint32_t last;     /* of the first: index of the latest with equal labels */
    bool is_shown;
    uint64_t started;
    uint64_t finished;
};

struct work {
    struct view view;
    struct cells cells;
    struct snapshot *snapshot;
    struct draft *drafts; /* by index of the segment's series; used ones are the first of their labels */
    uint64_t *buckets;    /* room for those of the next series */
    struct keyset set;
    void *memory; /* drafts and the set: given back at the end */
    size_t memory_bytes;
};

const char *snapshot_state_name(enum segment_function_state state)
{
    static const char *const names[SEGMENT_FUNCTION_STATES] = {"full", "count", "refused", "missing", "pending"};

    return names[state];
}

const char *snapshot_outcome_name(enum snapshot_outcome outcome)
{
    static const char *const names[SNAPSHOT_OUTCOMES] = {"success", "error", "throttled", "panic", "abandoned"};

    return names[outcome];
}

static void *carve(char **cursor, size_t bytes)
{
    void *memory = *cursor;

    *cursor += (bytes + 15) & ~(size_t)15;
    return memory;
}

static int allocate_result(struct work *work)
{
    struct snapshot *snapshot = work->snapshot;
    size_t series_bytes = work->view.series_count * sizeof(struct snapshot_series);
    size_t function_bytes = work->view.function_count * sizeof(struct snapshot_function);
    size_t bucket_count = 0;
    char *cursor;

    for (uint32_t i = 0; i < work->view.series_count; i++)
        if (view_series_is_valid(&work->view, &work->view.series[i]))
            bucket_count += work->view.series[i].bucket_count + 1;
    snapshot->memory_bytes = series_bytes + function_bytes + bucket_count * 8 + 64;
    snapshot->memory = pages_alloc(snapshot->memory_bytes);
    if (!snapshot->memory)
        return -ENOMEM;
    cursor = snapshot->memory;
    snapshot->series = carve(&cursor, series_bytes);
    snapshot->functions = carve(&cursor, function_bytes);
    work->buckets = carve(&cursor, bucket_count * 8);
    return 0;
}

static int allocate_work(struct work *work)
{
    size_t key_count =
        work->view.series_count > work->view.function_count ? work->view.series_count : work->view.function_count;
    size_t draft_bytes = work->view.series_count * sizeof(struct draft);
    char *cursor;

    work->set.slot_count = keyset_slots(key_count);
    work->memory_bytes = draft_bytes + key_count * sizeof(struct key) + work->set.slot_count * sizeof(uint32_t) + 64;
    work->memory = pages_alloc(work->memory_bytes);
    if (!work->memory)
        return -ENOMEM;
    cursor = work->memory;
    work->drafts = carve(&cursor, draft_bytes);
    work->set.keys = carve(&cursor, key_count * sizeof(struct key));
    work->set.slots = carve(&cursor, work->set.slot_count * sizeof(uint32_t));
    return 0;
}

static void key_set(struct key *key, int part, const char *text)
{
    key->parts[part] = text;
    key->lengths[part] = strlen(text);
}

/* Takes the functions over; work->set is empty again at the end. */
static void read_functions(struct work *work)
{
    struct snapshot *snapshot = work->snapshot;

    for (uint32_t i = 0; i < work->view.function_count; i++) {
        const struct segment_function *source = &work->view.functions[i];
        struct snapshot_function *function = &snapshot->functions[snapshot->function_count];
        struct key *key = &work->set.keys[i];
        uint32_t state = __atomic_load_n(&source->state, __ATOMIC_ACQUIRE);

        if (state >= SEGMENT_FUNCTION_STATES)
            continue;
        function->state = state;
        function->name = view_text(&work->view, source->name);
        function->module = view_text(&work->view, source->module);
        function->symbol = view_text(&work->view, source->symbol);
        function->reason = view_text(&work->view, __atomic_load_n(&source->reason, __ATOMIC_ACQUIRE));
        snapshot->states[state]++;
        key_set(key, 0, function->name);
        key_set(key, 1, function->module);
        key_set(key, 2, function->symbol);
        key_set(key, 3, function->reason);
        key_set(key, 4, snapshot_state_name(state));
        if (keyset_insert(&work->set, i) == i)
            snapshot->function_count++;
    }
    memset(work->set.slots, 0, work->set.slot_count * sizeof(uint32_t));
}

/* Fills in the labels of the i-th series of the segment. */
static void read_labels(struct work *work, uint32_t index, struct snapshot_series *ret_series)
{
    const struct segment_series *source = &work->view.series[index];
    const struct segment_function *function = &work->view.functions[source->function];
    struct key *key = &work->set.keys[index];

    *ret_series = (struct snapshot_series){
        .function = view_text(&work->view, function->name),
        .module = view_text(&work->view, function->module),
        .kind = view_text(&work->view, source->kind),
    };
    key_set(key, 0, ret_series->function);
    key_set(key, 1, ret_series->module);
    key_set(key, 2, ret_series->kind);
    ret_series->labels = view_labels(&work->view, source->labels, &key->lengths[3]);
    key->parts[3] = ret_series->labels;
    key->parts[4] = "";
    key->lengths[4] = 0;
}

/* The draft of the series that has the labels of the index-th one, which may be that itself. */
static struct draft *find_draft(struct work *work, uint32_t index)
{
    struct snapshot *snapshot = work->snapshot;
    struct snapshot_series *series = &snapshot->series[snapshot->series_count];
    struct draft *draft;
    uint32_t first;

    read_labels(work, index, series);
    first = keyset_insert(&work->set, index);
    draft = &work->drafts[first];
    work->drafts[index].cell = cells_find(&work->cells, work->view.series[index].cell);
    if (first == index) {
        draft->series = series;
        snapshot->series_count++;
    } else {
        work->drafts[index].previous = draft->last + 1;
    }
    draft->last = index;
    return draft;
}

/* Was the cell of the latest series with these labels counted in already? */
static bool is_counted(const struct work *work, uint32_t index)
{
    const struct cell *cell = work->drafts[index].cell;

    for (uint32_t i = work->drafts[index].previous; i; i = work->drafts[i - 1].previous)
        if (work->drafts[i - 1].cell == cell)
            return true;
    return false;
}

static uint64_t add_outcomes(struct snapshot_series *series, const struct cell *cell)
{
    static const enum segment_cell_word words[] = {CELL_SUCCESS, CELL_ERROR, CELL_THROTTLED, CELL_PANIC};
    uint64_t finished = 0;

    for (int i = 0; i < OUTCOME_ABANDONED; i++) {
        series->outcomes[i] += cell->words[words[i]];
        finished += cell->words[words[i]];
    }
    for (int i = 0; i < SEGMENT_ABANDONED_REASONS; i++) {
        series->abandoned[i] += cell->words[CELL_ABANDONED + i];
        series->outcomes[OUTCOME_ABANDONED] += cell->words[CELL_ABANDONED + i];
        finished += cell->words[CELL_ABANDONED + i];
    }
    return finished;
}

/* Series of equal labels but other bounds cannot be one histogram: the first ones' bounds win, and the durations of the
 * others are not shown. */
static bool begin_buckets(struct work *work, struct snapshot_series *series, const struct segment_series *source)
{
    const double *bounds = view_bounds(&work->view, source);

    if (series->has_duration)
        return series->bucket_count == source->bucket_count &&
               (!source->bucket_count || memcmp(series->bounds, bounds, source->bucket_count * sizeof(double)) == 0);
    series->has_duration = true;
    series->bucket_count = source->bucket_count;
    series->bounds = bounds;
    series->buckets = work->buckets;
    work->buckets += source->bucket_count + 1;
    return true;
}

static void add_durations(struct work *work, struct snapshot_series *series, const struct segment_series *source,
                          const struct cell *cell)
{
    if (!begin_buckets(work, series, source))
        return;
    for (uint32_t i = 0; i <= source->bucket_count; i++) {
        series->buckets[i] += cell->words[CELL_BUCKETS + i];
        series->count += cell->words[CELL_BUCKETS + i];
    }
    series->sum_seconds += cell->sum_ticks * work->view.segment->seconds_per_tick;
}

static void add_series(struct work *work, uint32_t index)
{
    const struct segment_series *source = &work->view.series[index];
    struct draft *draft = find_draft(work, index);
    const struct cell *cell = work->drafts[index].cell;
    uint64_t finished;

    if (!source->is_from_glob)
        draft->is_shown = true;
    if (is_counted(work, index))
        return;
    finished = add_outcomes(draft->series, cell);
    if (finished || cell->words[CELL_STARTED])
        draft->is_shown = true;
    if (source->has_no_duration)
        return;
    draft->started += cell->words[CELL_STARTED];
    draft->finished += finished;
    add_durations(work, draft->series, source, cell);
}

/* Drops the series that are not to be seen yet; the others move up, in order. */
static void keep_shown(struct work *work)
{
    struct snapshot *snapshot = work->snapshot;
    size_t kept = 0;

    for (uint32_t i = 0; i < work->view.series_count; i++) {
        const struct draft *draft = &work->drafts[i];

        if (!draft->series || !draft->is_shown)
            continue;
        draft->series->active = draft->started > draft->finished ? draft->started - draft->finished : 0;
        snapshot->series[kept++] = *draft->series;
    }
    snapshot->series_count = kept;
}

static int take(struct work *work)
{
    size_t length;
    int error = allocate_result(work);

    if (!error)
        error = allocate_work(work);
    if (!error)
        error = cells_read(&work->view, &work->cells);
    if (error)
        return error;
    work->snapshot->namespace_ = view_text(&work->view, work->view.segment->namespace_);
    work->snapshot->constant_labels = view_labels(&work->view, work->view.segment->constant_labels, &length);
    read_functions(work);
    for (uint32_t i = 0; i < work->view.series_count; i++)
        if (view_series_is_valid(&work->view, &work->view.series[i]))
            add_series(work, i);
    keep_shown(work);
    return 0;
}

int snapshot_take(const struct segment_header *segment, struct snapshot *ret_snapshot)
{
    struct snapshot snapshot = {0};
    struct work work = {.snapshot = &snapshot};
    int error = view_init(segment, &work.view);

    if (error)
        return error;
    error = take(&work);
    cells_finish(&work.cells);
    pages_free(work.memory, work.memory_bytes);
    if (error)
        snapshot_finish(&snapshot);
    else
        *ret_snapshot = snapshot;
    return error;
}

void snapshot_finish(struct snapshot *snapshot)
{
    pages_free(snapshot->memory, snapshot->memory_bytes);
    *snapshot = (struct snapshot){0};
}
