/* From the segment to what an exposition shows: the tables here, the series in drafts.c, the rest in tallies.c. */
#include "server/snapshot/snapshot.h"

#include <errno.h>
#include <string.h>

#include "server/common/pages.h"
#include "server/segment/cells.h"
#include "server/segment/view.h"
#include "server/snapshot/arena.h"
#include "server/snapshot/drafts.h"
#include "server/snapshot/faults.h"
#include "server/snapshot/tallies.h"

struct work {
    struct view view;
    struct view_series *series; /* the valid ones */
    size_t series_count;
    size_t series_bytes;
    struct cells cells;
    struct drafts drafts;
    const struct snapshot_clock *clock;
    struct snapshot *snapshot;
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

const char *snapshot_reason_name(enum segment_abandoned_reason reason)
{
    static const char *const names[SEGMENT_ABANDONED_REASONS] = {"longjmp", "thread_exit", "exec", "process_exit",
                                                                 "process_death"};

    return names[reason];
}

const char *snapshot_state_error_name(enum segment_state_error reason)
{
    static const char *const names[SEGMENT_STATE_ERRORS] = {"damaged", "version", "manifest", "unsafe", "busy", "io"};

    return names[reason];
}

/* Functions -------------------------------------------------------------------------------------------------------- */

/* False if its state is none. */
static bool read_function(const struct view *view, const struct segment_function *source,
                          struct snapshot_function *ret_function, struct key *key)
{
    uint32_t state = __atomic_load_n(&source->state, __ATOMIC_ACQUIRE);

    if (state >= SEGMENT_FUNCTION_STATES)
        return false;
    *ret_function = (struct snapshot_function){
        .name = view_text(view, source->name),
        .module = view_text(view, source->module),
        .symbol = view_text(view, source->symbol),
        .reason = view_text(view, __atomic_load_n(&source->reason, __ATOMIC_ACQUIRE)),
        .state = state,
    };
    key_set(key, 0, ret_function->name);
    key_set(key, 1, ret_function->module);
    key_set(key, 2, ret_function->symbol);
    key_set(key, 3, ret_function->reason);
    key_set(key, 4, snapshot_state_name(state));
    return true;
}

static void list_functions(const struct view *view, struct keyset *set, struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < view->function_count; i++) {
        struct snapshot_function *function = &snapshot->functions[snapshot->function_count];

        if (!read_function(view, &view->functions[i], function, &set->keys[i]))
            continue;
        snapshot->states[function->state]++;
        if (keyset_insert(set, i) == i)
            snapshot->function_count++;
    }
}

static int read_functions(struct work *work)
{
    struct keyset set;

    if (keyset_init(&set, work->view.function_count) != 0)
        return -ENOMEM;
    work->snapshot->functions =
        arena_alloc(work->snapshot, work->view.function_count * sizeof(struct snapshot_function));
    if (work->snapshot->functions)
        list_functions(&work->view, &set, work->snapshot);
    keyset_finish(&set);
    return work->snapshot->functions ? 0 : -ENOMEM;
}

/* Resources -------------------------------------------------------------------------------------------------------- */

static double number_of(enum segment_value_type type, uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float single;
    double number;

    memcpy(&single, &low, sizeof(single));
    memcpy(&number, &bits, sizeof(number));
    switch (type) {
    case SEGMENT_VALUE_BOOL:
        return bits != 0;
    case SEGMENT_VALUE_INT64:
        return (double)(int64_t)bits;
    case SEGMENT_VALUE_FLOAT:
        return (double)single;
    case SEGMENT_VALUE_DOUBLE:
        return number;
    default:
        return (double)bits;
    }
}

static struct snapshot_gauge read_gauge(const struct segment_gauge *source)
{
    uint32_t is_known = __atomic_load_n(&source->is_known, __ATOMIC_ACQUIRE);

    if (!is_known || source->type >= SEGMENT_VALUE_TYPES || source->type == SEGMENT_VALUE_STRING)
        return (struct snapshot_gauge){0};
    return (struct snapshot_gauge){.is_shown = true,
                                   .value = number_of(source->type, __atomic_load_n(&source->value, __ATOMIC_RELAXED))};
}

static void list_resources(const struct view *view, struct keyset *set, struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < view->resource_count; i++) {
        const struct segment_resource *source = &view->resources[i];
        const char *name = view_text(view, source->name);

        key_set(&set->keys[i], 0, name);
        key_end(&set->keys[i], 1);
        if (keyset_insert(set, i) == i)
            snapshot->resources[snapshot->resource_count++] = (struct snapshot_resource){
                .name = name, .in_use = read_gauge(&source->in_use), .limit = read_gauge(&source->limit)};
    }
}

static int read_resources(struct work *work)
{
    struct keyset set;

    if (keyset_init(&set, work->view.resource_count) != 0)
        return -ENOMEM;
    work->snapshot->resources =
        arena_alloc(work->snapshot, work->view.resource_count * sizeof(struct snapshot_resource));
    if (work->snapshot->resources)
        list_resources(&work->view, &set, work->snapshot);
    keyset_finish(&set);
    return work->snapshot->resources ? 0 : -ENOMEM;
}

/* All of it -------------------------------------------------------------------------------------------------------- */

static void read_header(struct work *work)
{
    const struct segment_header *segment = work->view.segment;
    const struct segment_header *header = &work->view.header;
    struct snapshot *snapshot = work->snapshot;
    size_t length;

    snapshot->namespace_ = view_text(&work->view, header->namespace_);
    snapshot->constant_labels = view_labels(&work->view, header->constant_labels, &length);
    snapshot->overhead_ratio.is_shown = __atomic_load_n(&segment->is_overhead_known, __ATOMIC_ACQUIRE) != 0;
    snapshot->overhead_ratio.value =
        number_of(SEGMENT_VALUE_DOUBLE, __atomic_load_n(&segment->overhead_ratio, __ATOMIC_RELAXED));
    snapshot->processes.value = __atomic_load_n(&segment->processes, __ATOMIC_RELAXED);
    snapshot->processes.is_shown = snapshot->processes.value > 0;
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++)
        snapshot->state_errors[i] = __atomic_load_n(&segment->state_errors[i], __ATOMIC_RELAXED);
}

static int list_series(struct work *work)
{
    work->series_bytes = work->view.series_count * sizeof(struct view_series);
    work->series = pages_alloc(work->series_bytes);
    if (!work->series)
        return -ENOMEM;
    for (uint32_t i = 0; i < work->view.series_count; i++)
        if (view_read_series(&work->view, i, &work->series[work->series_count]))
            work->series_count++;
    return 0;
}

static int take(struct work *work)
{
    int error = list_series(work);

    if (!error)
        error = cells_read(&work->view, work->series, work->series_count, &work->cells);
    if (!error)
        error = drafts_make(&work->view, work->series, work->series_count, &work->cells, work->clock, work->snapshot,
                            &work->drafts);
    if (!error)
        error = tallies_read_errors(&work->drafts, work->snapshot);
    if (!error)
        error = tallies_read_overflows(&work->view, work->series, work->series_count, &work->cells, work->snapshot);
    if (!error)
        error = faults_read(&work->view, work->series, work->series_count, work->snapshot);
    if (!error)
        error = read_functions(work);
    if (!error)
        error = read_resources(work);
    read_header(work);
    return error;
}

int snapshot_take(const struct segment_header *segment, uint64_t segment_bytes, const struct snapshot_clock *clock,
                  struct snapshot *ret_snapshot)
{
    struct snapshot snapshot = {0};
    struct work work = {.snapshot = &snapshot, .clock = clock};
    int error = view_init(segment, segment_bytes, &snapshot.copies, &work.view);

    if (!error)
        error = take(&work);
    if (!error)
        error = snapshot.copies.error;
    drafts_finish(&work.drafts);
    cells_finish(&work.cells);
    pages_free(work.series, work.series_bytes);
    if (error)
        snapshot_finish(&snapshot);
    else
        *ret_snapshot = snapshot;
    return error;
}

void snapshot_finish(struct snapshot *snapshot)
{
    for (int i = 0; i < snapshot->memory_count; i++)
        pages_free(snapshot->memories[i].pages, snapshot->memories[i].bytes);
    copies_finish(&snapshot->copies);
    *snapshot = (struct snapshot){0};
}
