/* Errors by type and label overflows: rows, of which those with equal keys are added up. */
#include "server/snapshot/tallies.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "server/segment/cells.h"
#include "server/segment/values.h"
#include "server/segment/view.h"
#include "server/snapshot/arena.h"
#include "server/snapshot/drafts.h"
#include "server/snapshot/snapshot.h"

/* The number of the row with these two texts as its key; `next` if there is none yet. */
static uint32_t find_row(struct keyset *rows, const void *first, size_t first_bytes, const char *second, size_t next)
{
    struct key *key = &rows->keys[next];

    key->parts[0] = first;
    key->lengths[0] = first_bytes;
    key_set(key, 1, second);
    key_end(key, 2);
    return keyset_insert(rows, (uint32_t)next);
}

/* Errors ----------------------------------------------------------------------------------------------------------- */

/* Does the draft count errors that no other counts? */
static bool has_errors(const struct drafts *drafts, const struct draft *draft)
{
    return draft->origin->source.errors_word && !draft->is_repeated && drafts->items[draft->first].is_shown;
}

static size_t count_error_rows(const struct drafts *drafts)
{
    size_t count = 0;

    for (size_t i = 0; i < drafts->count; i++) {
        const struct draft *draft = &drafts->items[i];
        const struct segment_series *source = &draft->origin->source;

        for (uint32_t j = 0; has_errors(drafts, draft) && j < source->error_count; j++)
            count += draft->cell->words[source->errors_word + j] != 0;
    }
    return count;
}

/* Zero is the errno of a call that failed without setting it. */
static const char *errno_name(uint32_t number)
{
    const char *name = number < SEGMENT_ERRNO_WORDS - 1 ? strerrorname_np((int)number) : NULL;

    if (number == 0)
        return "none";
    return name ? name : VALUE_OTHER;
}

/* The type's name, in memory of the snapshot where it is a value: *text moves on then. */
static const char *error_type(const struct drafts *drafts, const struct draft *draft, uint32_t number, char **text)
{
    const struct view_values *values = &draft->origin->error_values;
    const char *type = *text;

    if (!values->label_count)
        return errno_name(number);
    values_format(drafts->view, values, number, 0, *text);
    *text += strlen(*text) + 1;
    return type;
}

static void add_errors(const struct drafts *drafts, const struct draft *draft, struct keyset *rows,
                       struct snapshot *snapshot, char **text)
{
    const struct segment_series *source = &draft->origin->source;
    const struct draft *first = &drafts->items[draft->first];

    for (uint32_t i = 0; i < source->error_count; i++) {
        uint64_t count = draft->cell->words[source->errors_word + i];
        const char *type;
        uint32_t row;

        if (!count)
            continue;
        type = error_type(drafts, draft, i, text);
        row = find_row(rows, &first->series, sizeof(first->series), type, snapshot->error_count);
        if (row == snapshot->error_count)
            snapshot->errors[snapshot->error_count++] = (struct snapshot_error){.series = first->series, .type = type};
        snapshot->errors[row].count += count;
    }
}

int tallies_read_errors(const struct drafts *drafts, struct snapshot *snapshot)
{
    size_t count = count_error_rows(drafts);
    struct keyset rows = {0};
    char *text;
    int error;

    if (!count)
        return 0;
    error = keyset_init(&rows, count);
    if (error)
        return error;
    snapshot->errors = arena_alloc(snapshot, count * (sizeof(struct snapshot_error) + VALUE_TEXT_BYTES));
    if (!snapshot->errors) {
        keyset_finish(&rows);
        return -ENOMEM;
    }
    text = (void *)(snapshot->errors + count);
    for (size_t i = 0; i < drafts->count; i++)
        if (has_errors(drafts, &drafts->items[i]))
            add_errors(drafts, &drafts->items[i], &rows, snapshot, &text);
    keyset_finish(&rows);
    return 0;
}

/* Overflows -------------------------------------------------------------------------------------------------------- */

struct overflows {
    const struct view *view;
    struct cells *cells;
    struct snapshot *snapshot;
    struct keyset rows;
    struct keyset counted; /* functions by name and cell */
    size_t counted_count;
};

static const struct cell *cell_at(const struct overflows *overflows, const struct view_series *series, uint64_t cell,
                                  uint32_t place)
{
    return cells_find(overflows->cells, cell + place * segment_cell_bytes(series->source.cell_words));
}

static void add_overflow(struct overflows *overflows, const struct view_series *series, const char *label,
                         uint64_t count)
{
    const struct segment_function *source = &overflows->view->functions[series->source.function];
    const char *function = view_text(overflows->view, source->name);
    struct snapshot *snapshot = overflows->snapshot;
    uint32_t row;

    if (!*label)
        return;
    row = find_row(&overflows->rows, function, strlen(function), label, snapshot->overflow_count);
    if (row == snapshot->overflow_count)
        snapshot->overflows[snapshot->overflow_count++] =
            (struct snapshot_overflow){.function = function, .label = label};
    snapshot->overflows[row].count += count;
}

/* Of one label of the values, or of those known at the start: calls that ended where all others are. */
static void add_label_overflows(struct overflows *overflows, const struct view_series *series,
                                const struct view_values *values, uint64_t cell)
{
    uint64_t count;

    if (!values->label_count)
        return;
    count = drafts_count_finished(series, cell_at(overflows, series, cell, values->capacity));
    for (uint32_t i = 0; i < values->label_count; i++)
        add_overflow(overflows, series, view_text(overflows->view, values->labels[i].name), count);
}

static uint64_t count_other_errors(struct overflows *overflows, const struct view_series *series,
                                   const struct view_values *values, uint64_t cell)
{
    uint32_t word = series->source.errors_word + series->error_values.capacity;
    uint64_t count = 0;

    for (uint32_t i = 0; i < view_place_count(values); i++)
        count += cell_at(overflows, series, cell, view_place(values, i))->words[word];
    return count;
}

static void add_error_overflows(struct overflows *overflows, const struct view_series *series)
{
    const struct segment_series *source = &series->source;
    uint64_t count;

    if (!source->errors_word || !series->error_values.label_count)
        return;
    count = count_other_errors(overflows, series, &series->values, source->cell);
    if (source->entry_cells)
        count += count_other_errors(overflows, series, &series->entry_values, source->entry_cell);
    add_overflow(overflows, series, "error_type", count);
}

/* A glob's function appears with its first call, which leaves a tuple or something in the place of all others. */
static bool is_seen(struct overflows *overflows, const struct view_series *series)
{
    const struct segment_series *source = &series->source;
    const struct cell *cell = cell_at(overflows, series, source->cell, series->values.capacity);

    return !source->is_from_glob || series->values.count || series->entry_values.count || cell->words[CELL_STARTED] ||
           drafts_count_finished(series, cell);
}

/* Two entries of one name for one address share their cells: nothing is to be counted twice. */
static bool is_counted(struct overflows *overflows, const struct view_series *series)
{
    const struct segment_series *source = &series->source;
    const char *function = view_text(overflows->view, overflows->view->functions[source->function].name);
    size_t next = overflows->counted_count++;

    return find_row(&overflows->counted, &source->cell, sizeof(source->cell), function, next) != next;
}

static size_t count_overflow_rows(const struct view_series *series, size_t series_count)
{
    size_t count = 0;

    for (size_t i = 0; i < series_count; i++)
        count += series[i].values.label_count + series[i].entry_values.label_count + series[i].error_values.label_count;
    return count;
}

static void add_series(struct overflows *overflows, const struct view_series *series)
{
    const struct segment_series *source = &series->source;

    if (!series->values.label_count && !series->entry_values.label_count && !series->error_values.label_count)
        return;
    if (!is_seen(overflows, series) || is_counted(overflows, series))
        return;
    add_label_overflows(overflows, series, &series->values, source->cell);
    if (source->entry_cells)
        add_label_overflows(overflows, series, &series->entry_values, source->entry_cell);
    add_error_overflows(overflows, series);
}

int tallies_read_overflows(const struct view *view, const struct view_series *series, size_t series_count,
                           struct cells *cells, struct snapshot *snapshot)
{
    struct overflows overflows = {.view = view, .cells = cells, .snapshot = snapshot};
    size_t count = count_overflow_rows(series, series_count);
    int error;

    if (!count)
        return 0;
    error = keyset_init(&overflows.rows, count);
    if (!error)
        error = keyset_init(&overflows.counted, series_count);
    if (!error)
        snapshot->overflows = arena_alloc(snapshot, count * sizeof(struct snapshot_overflow));
    if (!snapshot->overflows)
        error = -ENOMEM;
    for (size_t i = 0; !error && i < series_count; i++)
        add_series(&overflows, &series[i]);
    keyset_finish(&overflows.rows);
    keyset_finish(&overflows.counted);
    return error;
}
