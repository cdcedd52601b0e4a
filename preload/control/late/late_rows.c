#include "preload/control/late/late_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/segment/rows.h"
#include "preload/control/segment/writer.h"
#include "preload/control/tracking/track_build.h"
#include "preload/panic/recover.h"
#include "preload/shim.h"

static const struct late_config *config;
static uint64_t *notes;  /* by row: the reason written last, so that it is not written anew each time */
static uint64_t gone;    /* text: why a function is pending again */
static bool *is_crowded; /* by entry: it was told that there is no room for more */

static bool is_like_series(const struct layout *layout, const struct segment_series *series,
                           const struct resolve_target *target)
{
    return series->cell_words == layout->cell_words && series->summed_words == layout->summed_words &&
           series->skipped_word == layout->skipped && series->items_word == layout->items &&
           series->interval_word == layout->interval && series->errors_word == layout->errors &&
           series->last_start_word == layout->last_start && series->last_success_word == layout->last_success &&
           series->last_finish_word == layout->last_finish && series->entry_cells == layout->entry_cells &&
           (series->sampling != 0) == layout->is_sampled &&
           (series->has_no_duration != 0) == (target->plan.mode == PLAN_COUNT);
}

/* The layout of a series that is there: as it would be made now, or as it was foreseen. */
static bool adopt_layout(const struct track *track, const struct resolve_target *target, bool is_awaited,
                         const struct segment_series *series, struct layout *layout)
{
    const struct manifest_function *function = track_function(track, target);
    bool has_budget = track->manifest->overhead_budget < 1;

    layout_init(layout, function, target, has_budget);
    if (!is_awaited && is_like_series(layout, series, target))
        return true;
    layout_init_awaited(layout, function, has_budget);
    layout_narrow(layout, target);
    return is_awaited || is_like_series(layout, series, target);
}

static void adopt_series(struct track *track, size_t i, bool is_awaited, const struct segment_series *series)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[i];

    if (!adopt_layout(track, target, is_awaited, series, &build->layouts[i])) {
        track_refuse(target, "it was tracked in another way before, in a library of the same name");
        return;
    }
    build->cells[i] = series->cell;
    build->tables[i] =
        (struct extras_tables){series->values, series->entry_values, series->error_values, series->sampling};
    build->has_tables[i] = true;
}

static void make_cells(struct track *track, size_t i)
{
    struct track_build *build = track->build;
    struct resolve_target *target = &track->resolution->targets[i];
    const struct manifest_function *function = track_function(track, target);

    layout_init(&build->layouts[i], function, target, track->manifest->overhead_budget < 1);
    if (rows_has_text(track->segment, LATE_ROW_TEXT_BYTES + extras_tables_bytes(function, &build->layouts[i])))
        build->cells[i] = rows_take_cells(track->segment, build->layouts[i].bytes);
    if (build->cells[i] == 0)
        track_refuse(target, "there is no room for the counters of more functions of libraries that are loaded later");
}

static struct rows_key key_of(const struct track *track, const struct resolve_target *target)
{
    const struct manifest_function *function = track_function(track, target);

    return (struct rows_key){
        .entry = track_entry(track, target),
        .name = target->name,
        .module = target->object->base_name,
        .symbol = function->is_glob  ? target->symbol->name
                  : function->symbol ? function->symbol
                                     : function->build_id,
    };
}

static uint32_t claim_row(struct track *track, uint32_t row, const struct rows_key *key)
{
    struct segment_header *segment = track->segment;
    struct segment_function *function;

    if (!rows_has_text(segment, LATE_ROW_TEXT_BYTES))
        return ROWS_NONE;
    if (row == ROWS_NONE) {
        struct segment_function empty = {
            .name = segment->text,
            .module = segment->text,
            .symbol = segment->text,
            .reason = segment->text,
            .state = SEGMENT_PENDING,
            .is_awaited = 1,
            .entry = key->entry,
        };

        row = writer_add_function(segment, &empty);
    }
    if (row == ROWS_NONE)
        return ROWS_NONE;
    function = rows_at(segment, row);
    function->symbol = writer_text(segment, key->symbol);
    function->name = writer_text(segment, key->name);
    __atomic_store_n(&function->module, writer_text(segment, key->module), __ATOMIC_RELEASE);
    return row;
}

/* Told once: beyond it there are only more. */
static void tell_crowded(struct track *track, const struct resolve_target *target)
{
    const struct manifest_function *function = track_function(track, target);
    uint32_t entry = track_entry(track, target);

    if (is_crowded[entry])
        return;
    is_crowded[entry] = true;
    config->shim->log(LOG_LEVEL_WARN,
                      "%s: not all functions of libraries that are loaded later are tracked: the segment has room for "
                      "%u of them",
                      function->symbol ? function->symbol : function->build_id, track->segment->function_capacity);
}

static void assign_row(struct track *track, size_t i)
{
    struct resolve_target *target = &track->resolution->targets[i];
    struct rows_key key = key_of(track, target);
    uint32_t row = rows_find(track->segment, &key);
    const struct segment_series *series;
    bool is_awaited;

    if (row == ROWS_NONE)
        row = claim_row(track, rows_unclaimed(track->segment, key.entry), &key);
    track->build->rows[i] = row;
    if (row == ROWS_NONE) {
        track_refuse(target, "there is no room for more functions of libraries that are loaded later");
        tell_crowded(track, target);
        return;
    }
    if (config->recover)
        config->recover[row] = (struct recover_value){track_function(track, target)->has_recover,
                                                      track_function(track, target)->recover_value};
    if (!track_is_hooked(target))
        return;
    series = rows_series(track->segment, row);
    is_awaited = rows_at(track->segment, row)->is_awaited;
    if (series)
        adopt_series(track, i, is_awaited, series);
    else
        make_cells(track, i);
}

/* The text is in the segment once for each row. */
static uint64_t reason_text(struct segment_header *segment, uint32_t row, const char *reason)
{
    if (!*reason)
        return segment->text;
    if (!notes[row] || strcmp(rows_text(segment, notes[row]), reason) != 0)
        notes[row] = writer_text(segment, reason);
    return notes[row];
}

static void set_state(struct segment_header *segment, uint32_t row, uint64_t reason, enum segment_function_state state)
{
    struct segment_function *function = rows_at(segment, row);

    __atomic_store_n(&function->reason, reason, __ATOMIC_RELEASE);
    __atomic_store_n(&function->state, state, __ATOMIC_RELEASE);
}

/* The series of a row that nobody was shown yet is made anew. */
static void show_series(struct track *track, size_t i, uint32_t row)
{
    struct segment_header *segment = track->segment;
    struct segment_series *series = rows_series(segment, row);
    struct segment_series made;

    if (!rows_at(segment, row)->is_awaited)
        return;
    made = track_segment_series(track, i, row);
    if (series)
        *series = made;
    else
        writer_add_series(segment, &made);
    __atomic_store_n(&rows_at(segment, row)->is_awaited, 0, __ATOMIC_RELEASE);
}

static void write_found(struct track *track, size_t i, late_is_live is_live)
{
    const struct resolve_target *target = &track->resolution->targets[i];
    uint32_t row = track->build->rows[i];
    uint64_t reason;

    if (row == ROWS_NONE || (!track_is_tracked(target) && is_live(row)))
        return;
    reason = reason_text(track->segment, row, target->reason);
    if (!track_is_tracked(target)) {
        set_state(track->segment, row, reason, SEGMENT_REFUSED);
        return;
    }
    show_series(track, i, row);
    set_state(track->segment, row, reason, target->plan.mode == PLAN_FULL ? SEGMENT_FULL : SEGMENT_COUNT);
}

/* The library is the one that is meant, and has no such function. */
static void write_missing(struct track *track, const struct resolve_target *target)
{
    uint32_t row = rows_unclaimed(track->segment, track_entry(track, target));

    if (row != ROWS_NONE)
        set_state(track->segment, row, reason_text(track->segment, row, target->reason), SEGMENT_MISSING);
}

void late_rows_write(struct track *track, late_is_live is_live)
{
    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];

        if (target->state == RESOLVE_FOUND)
            write_found(track, i, is_live);
        else if (target->state == RESOLVE_MISSING)
            write_missing(track, target);
    }
}

void late_rows_retire(uint32_t row)
{
    set_state(config->segment, row, gone, SEGMENT_PENDING);
}

void late_rows_assign(struct track *track)
{
    for (size_t i = 0; i < track->resolution->count; i++)
        if (track->resolution->targets[i].state == RESOLVE_FOUND)
            assign_row(track, i);
}

int late_rows_init(const struct late_config *given)
{
    config = given;
    is_crowded = calloc(config->manifest->function_count + 1, sizeof(*is_crowded));
    notes = calloc((size_t)config->segment->function_capacity + 1, sizeof(*notes));
    gone = writer_text(config->segment, "its library was unloaded; it is tracked again once that is back");
    return is_crowded && notes ? 0 : -ENOMEM;
}
