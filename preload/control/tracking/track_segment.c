/* The tracked functions' entries in the segment. */
#include "preload/control/tracking/track_build.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/segment/writer.h"
#include "preload/control/state/state.h"
#include "symbols/common/diag.h"
#include "symbols/resolve/resolution.h"
#include "symbols/values/value.h"

enum {
    TEXT_ROOM = 65536
};

/* What the manifest calls it. */
static const char *manifest_symbol(const struct manifest_function *function)
{
    return function->symbol ? function->symbol : function->build_id;
}

static enum segment_function_state state_of(const struct resolve_target *target)
{
    switch (target->state) {
    case RESOLVE_MISSING:
        return SEGMENT_MISSING;
    case RESOLVE_PENDING:
        return SEGMENT_PENDING;
    default:
        return target->plan.mode == PLAN_FULL    ? SEGMENT_FULL
               : target->plan.mode == PLAN_COUNT ? SEGMENT_COUNT
                                                 : SEGMENT_REFUSED;
    }
}

static size_t labels_bytes(const struct manifest_label *labels, size_t count)
{
    size_t bytes = 1;

    for (size_t i = 0; i < count; i++)
        bytes += strlen(labels[i].name) + strlen(labels[i].value) + 2;
    return bytes;
}

static uint64_t resources_bytes(const struct manifest *manifest)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < manifest->resource_count; i++)
        bytes += strlen(manifest->resources[i].name) + 16;
    return bytes;
}

static struct writer_size size_of(const struct track *track)
{
    uint32_t count = (uint32_t)track->resolution->count;
    struct writer_size size = {
        .functions = count + track->reserve.functions,
        .series = count + track->reserve.functions,
        .resources = (uint32_t)track->manifest->resource_count,
        .text_bytes = TEXT_ROOM + resources_bytes(track->manifest) + track->reserve.text_bytes,
        .cell_bytes = track->build->cells_bytes + track->reserve.cell_bytes,
    };

    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        const struct manifest_function *function = track_function(track, target);

        size.text_bytes += strlen(target->name) + strlen(manifest_symbol(function)) + 2 * sizeof(target->reason) + 64;
        size.text_bytes += extras_tables_bytes(function, &track->build->layouts[i]);
        size.text_bytes += labels_bytes(function->labels, function->label_count);
        size.text_bytes += labels_bytes(track->manifest->labels, track->manifest->label_count);
        size.text_bytes += function->bucket_count * sizeof(double);
        if (target->object)
            size.text_bytes += strlen(target->object->base_name) + 16;
        if (target->symbol)
            size.text_bytes += strlen(target->symbol->name) + 16;
    }
    return size;
}

static char *put_label(char *end, const struct manifest_label *label)
{
    end = mempcpy(end, label->name, strlen(label->name) + 1);
    return mempcpy(end, label->value, strlen(label->value) + 1);
}

/* The two sorted lists as one, in the segment's form. */
static uint64_t write_labels(struct segment_header *segment, const struct manifest_label *a, size_t a_count,
                             const struct manifest_label *b, size_t b_count)
{
    char *text = malloc(labels_bytes(a, a_count) + labels_bytes(b, b_count));
    char *end = text;
    uint64_t offset;

    if (!text)
        return segment->text;
    while (a_count + b_count > 0) {
        if (b_count == 0 || (a_count > 0 && strcmp(a->name, b->name) < 0)) {
            end = put_label(end, a++);
            a_count--;
        } else {
            end = put_label(end, b++);
            b_count--;
        }
    }
    *end++ = '\0';
    offset = writer_bytes(segment, text, (size_t)(end - text));
    free(text);
    return offset;
}

struct segment_function track_segment_function(const struct track *track, const struct resolve_target *target)
{
    struct segment_header *segment = track->segment;
    const struct manifest_function *function = track_function(track, target);
    const char *symbol = function->is_glob && target->symbol ? target->symbol->name : manifest_symbol(function);

    return (struct segment_function){
        .name = writer_text(segment, target->name),
        .module = target->object ? writer_text(segment, target->object->base_name) : segment->text,
        .symbol = writer_text(segment, symbol),
        .reason = writer_text(segment, target->reason),
        .state = state_of(target),
        .is_optional = function->is_optional,
        .has_recover = function->has_recover,
        .is_awaited = track_is_awaited(target),
        .entry = track_entry(track, target),
    };
}

/* Of a target that is not there yet: as far as the manifest says. */
static bool is_counted_only(const struct track *track, const struct resolve_target *target)
{
    if (track_is_awaited(target))
        return track_function(track, target)->mode == MANIFEST_MODE_COUNT;
    return target->plan.mode == PLAN_COUNT;
}

struct segment_series track_segment_series(const struct track *track, size_t index, uint32_t row)
{
    struct segment_header *segment = track->segment;
    const struct resolve_target *target = &track->resolution->targets[index];
    const struct manifest_function *function = track_function(track, target);
    size_t place = target->same_as == SIZE_MAX ? index : target->same_as;
    const struct layout *layout = &track->build->layouts[place];
    const struct extras_tables *tables = &track->build->tables[place];
    uint64_t cell = track->build->cells[place];

    return (struct segment_series){
        .function = row,
        .bucket_count = (uint32_t)function->bucket_count,
        .kind = writer_text(segment, manifest_kind_name(function->kind)),
        .labels = write_labels(segment, function->labels, function->label_count, track->manifest->labels,
                               track->manifest->label_count),
        .bounds = writer_bytes(segment, function->buckets, function->bucket_count * sizeof(double)),
        .cell = cell,
        .is_from_glob = function->is_glob,
        .has_no_duration = is_counted_only(track, target),
        .cell_words = layout->cell_words,
        .summed_words = layout->summed_words,
        .skipped_word = layout->skipped,
        .items_word = layout->items,
        .interval_word = layout->interval,
        .errors_word = layout->errors,
        .error_count = layout->error_count,
        .last_start_word = layout->last_start,
        .last_success_word = layout->last_success,
        .last_finish_word = layout->last_finish,
        .sampling = tables->sampling,
        .values = tables->values,
        .error_values = tables->error_values,
        .entry_values = tables->entry_values,
        .entry_cell = layout->entry_cells ? cell + layout->cell_count * layout->stride : 0,
        .entry_cells = layout->entry_cells,
        .is_health_check = function->kind == MANIFEST_KIND_HEALTH_CHECK,
    };
}

static void write_signals(const struct track *track)
{
    const struct manifest_panics *panics = &track->manifest->panics;
    struct segment_header *segment = track->segment;

    for (size_t i = 0; i < panics->signal_count && i < SEGMENT_SIGNALS_MAX; i++)
        segment->signals[segment->signal_count++] = (uint32_t)panics->signals[i];
}

/* In the state file; where that is not possible, in memory. */
static int make_segment(struct track *track, const struct writer_size *size)
{
    double seconds_per_tick = track->clock->seconds_per_tick;

    if (track->state->file.fresh >= 0) {
        int result = writer_create(size, seconds_per_tick, track->state->file.fresh, &track->segment);

        if (result == 0)
            return 0;
        state_give_up(track->state, result);
    }
    return writer_create(size, seconds_per_tick, -1, &track->segment);
}

int track_segment_create(struct track *track, struct diag *diag)
{
    const struct manifest *manifest = track->manifest;
    struct writer_size size = size_of(track);
    int result = make_segment(track, &size);

    if (result != 0) {
        diag_set(diag, "no address space for the counters (%s)", strerror(-result));
        return result;
    }
    track->segment->namespace_ = writer_text(track->segment, manifest->namespace_);
    track->segment->constant_labels = write_labels(track->segment, manifest->labels, manifest->label_count, NULL, 0);
    track->segment->cells_used = track->build->cells_bytes;
    write_signals(track);
    for (size_t i = 0; i < manifest->resource_count; i++)
        ((struct segment_resource *)((char *)track->segment + track->segment->resources))[i].name =
            writer_text(track->segment, manifest->resources[i].name);
    return 0;
}

bool track_is_foreseen(const struct manifest_function *function)
{
    if (function->is_glob)
        return false;
    for (size_t i = 0; i < function->dynamic_label_count; i++)
        if (function->dynamic_labels[i].value.source == MANIFEST_SOURCE_PARAM)
            return false;
    return true;
}

/* Where the dynamic labels' values are, as far as the manifest says: their types are what the tables need. */
static void foresee_tables(struct track *track, size_t index)
{
    const struct manifest_function *function = track_function(track, &track->resolution->targets[index]);
    const struct layout *layout = &track->build->layouts[index];
    struct value_location values[EXTRA_LABELS_MAX] = {0};
    struct diag diag;

    for (size_t i = 0; i < function->dynamic_label_count && i < EXTRA_LABELS_MAX; i++)
        (void)resolve_locate_numbered(&function->dynamic_labels[i].value, function->returns, &values[i], &diag);
    extras_write_tables(track->segment, function, layout, values, &track->build->tables[index]);
}

void track_segment_fill(struct track *track)
{
    for (size_t i = 0; i < track->resolution->count; i++) {
        const struct resolve_target *target = &track->resolution->targets[i];
        bool is_foreseen = track_is_awaited(target) && track_is_foreseen(track_function(track, target));
        struct segment_function function = track_segment_function(track, target);
        struct segment_series series;
        uint32_t row = writer_add_function(track->segment, &function);

        assert(row == track->build->rows[i]); /* which its hook knows: panics are counted by it */
        if (is_foreseen)
            foresee_tables(track, i);
        if (!is_foreseen && !track_is_tracked(target))
            continue;
        series = track_segment_series(track, i, row);
        writer_add_series(track->segment, &series);
    }
}
