#include "preload/control/tracking/extras.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/control/segment/sample_interval.h"
#include "preload/control/segment/shown_type.h"
#include "preload/control/segment/writer.h"
#include "symbols/common/diag.h"
#include "symbols/resolve/resolution.h"

static uint32_t field_bytes(const struct value_location *location)
{
    return location->type == VALUE_CSTRING ? SEGMENT_STRING_FIELD_BYTES : SEGMENT_SCALAR_FIELD_BYTES;
}

static uint32_t slot_count(uint32_t capacity)
{
    uint32_t count = 16;

    while (count < capacity * 2)
        count *= 2;
    return count;
}

static uint64_t table_bytes(uint32_t capacity, uint64_t key_bytes, uint64_t value_count)
{
    return sizeof(struct segment_values) + slot_count(capacity) * sizeof(uint32_t) + capacity * key_bytes +
           value_count * sizeof(struct segment_value) + 64;
}

static uint64_t map_bytes(const struct manifest_dynamic_label *label)
{
    uint64_t bytes = 1;

    for (size_t i = 0; i < label->map_count; i++)
        bytes += strlen(label->map[i].name) + strlen(label->map[i].value) + 2;
    return bytes;
}

uint64_t extras_tables_bytes(const struct manifest_function *function, const struct layout *layout)
{
    uint64_t bytes = sizeof(struct segment_sampling) + 64;
    uint64_t count = function->dynamic_label_count;

    if (count)
        bytes += 2 * table_bytes(layout->capacity, count * SEGMENT_STRING_FIELD_BYTES, count);
    if (layout->errors)
        bytes += table_bytes(layout->capacity, SEGMENT_SCALAR_FIELD_BYTES, 1);
    for (size_t i = 0; i < count; i++)
        bytes += 2 * (map_bytes(&function->dynamic_labels[i]) + strlen(function->dynamic_labels[i].name) + 24);
    return bytes;
}

static uint64_t write_map(struct segment_header *segment, const struct manifest_dynamic_label *label)
{
    char *text;
    char *end;
    uint64_t offset;

    if (label->map_count == 0)
        return 0;
    text = malloc(map_bytes(label));
    if (!text)
        return 0;
    end = text;
    for (size_t i = 0; i < label->map_count; i++) {
        end = mempcpy(end, label->map[i].name, strlen(label->map[i].name) + 1);
        end = mempcpy(end, label->map[i].value, strlen(label->map[i].value) + 1);
    }
    *end++ = '\0';
    offset = writer_bytes(segment, text, (size_t)(end - text));
    free(text);
    return offset;
}

/* A table for the first `count` of the values, whose keys follow each other. */
static uint64_t write_table(struct segment_header *segment, uint32_t capacity, const struct segment_value *values,
                            uint32_t count, uint32_t key_bytes)
{
    struct segment_values table = {
        .capacity = capacity,
        .value_count = count,
        .key_bytes = key_bytes,
        .slot_mask = slot_count(capacity) - 1,
    };

    table.slots = writer_reserve(segment, slot_count(capacity) * sizeof(uint32_t));
    table.keys = writer_reserve(segment, (uint64_t)capacity * key_bytes);
    table.values = writer_bytes(segment, values, count * sizeof(*values));
    return writer_bytes(segment, &table, sizeof(table));
}

/* Positions of the dynamic labels in the manifest's order: those known at the start first. */
static void order_labels(const struct manifest_function *function, uint32_t *positions)
{
    uint32_t count = 0;

    for (int is_end = 0; is_end < 2; is_end++)
        for (uint32_t i = 0; i < function->dynamic_label_count && count < EXTRA_LABELS_MAX; i++)
            if ((function->dynamic_labels[i].value.source == MANIFEST_SOURCE_RET) == is_end)
                positions[count++] = i;
}

static void write_label_tables(struct segment_header *segment, const struct manifest_function *function,
                               const struct layout *layout, const struct value_location *locations,
                               struct extras_tables *tables)
{
    struct segment_value values[EXTRA_LABELS_MAX];
    uint32_t positions[EXTRA_LABELS_MAX] = {0};
    uint32_t count = layout->entry_labels + layout->end_labels;
    uint32_t bytes = 0;
    uint32_t entry_bytes = 0;

    order_labels(function, positions);
    for (uint32_t i = 0; i < count; i++) {
        const struct manifest_dynamic_label *label = &function->dynamic_labels[positions[i]];

        values[i] = (struct segment_value){
            .name = writer_text(segment, label->name),
            .map = write_map(segment, label),
            .type = shown_type_of(locations[positions[i]].type),
            .key_offset = bytes,
        };
        bytes += field_bytes(&locations[positions[i]]);
        if (i + 1 == layout->entry_labels)
            entry_bytes = bytes;
    }
    tables->values = write_table(segment, layout->capacity, values, count, bytes);
    if (layout->end_labels && layout->entry_labels)
        tables->entry_values = write_table(segment, layout->capacity, values, layout->entry_labels, entry_bytes);
}

static struct value_location result_location(enum value_type type)
{
    const struct manifest_value value = {.source = MANIFEST_SOURCE_RET};
    struct value_location location = {.place = VALUE_RESULT, .type = VALUE_INT64, .bytes = 8};
    struct diag diag;

    /* The parser has refused `ret` where nothing is returned. */
    (void)resolve_locate_numbered(&value, type, &location, &diag);
    return location;
}

void extras_write_tables(struct segment_header *segment, const struct manifest_function *function,
                         const struct layout *layout, const struct value_location *values, struct extras_tables *ret)
{
    *ret = (struct extras_tables){0};
    if (layout->entry_labels + layout->end_labels > 0)
        write_label_tables(segment, function, layout, values, ret);
    if (layout->errors && function->error_type == MANIFEST_ERROR_TYPE_RET) {
        struct value_location location = result_location(function->returns);
        struct segment_value value = {
            .name = writer_text(segment, "error_type"),
            .type = shown_type_of(location.type),
        };

        ret->error_values = write_table(segment, layout->capacity, &value, 1, SEGMENT_SCALAR_FIELD_BYTES);
    }
    if (layout->is_sampled) {
        struct segment_sampling sampling;

        sample_interval_set(&sampling, 1 / function->sample_rate);
        ret->sampling = writer_bytes(segment, &sampling, sizeof(sampling));
    }
}

size_t extras_bytes(void)
{
    return (sizeof(struct extra) + 63) & ~(size_t)63;
}

static void *table_at(struct segment_header *segment, uint64_t offset)
{
    return offset ? (char *)segment + offset : NULL;
}

static void set_labels(struct extra *extra, const struct manifest_function *function,
                       const struct value_location *locations)
{
    uint32_t positions[EXTRA_LABELS_MAX] = {0};
    uint32_t offset = 0;

    order_labels(function, positions);
    for (uint32_t i = 0; i < extra->label_count; i++) {
        const struct value_location *location = &locations[positions[i]];

        extra->labels[i] = (struct extra_label){*location, offset, field_bytes(location)};
        offset += field_bytes(location);
    }
}

static void add_gauge(struct extra *extra, const struct value_location *location, struct segment_gauge *gauge)
{
    if (extra->gauge_count == EXTRA_GAUGES_MAX || location->type == VALUE_VOID)
        return; /* what could not be located stays unknown */
    gauge->type = shown_type_of(location->type);
    extra->gauges[extra->gauge_count++] = (struct extra_gauge){*location, gauge};
}

static void set_gauges(struct extra *extra, struct segment_header *segment, const struct manifest *manifest,
                       const struct resolve_target *target, size_t first)
{
    struct segment_resource *resources = table_at(segment, segment->resources);
    size_t next = first;

    for (size_t i = 0; i < manifest->resource_count; i++) {
        const struct manifest_resource *resource = &manifest->resources[i];

        if (resource->in_use.source == MANIFEST_GAUGE_CALL && resource->in_use.function == target->function &&
            next < target->value_count)
            add_gauge(extra, &target->values[next++], &resources[i].in_use);
        if (resource->limit.source == MANIFEST_GAUGE_CALL && resource->limit.function == target->function &&
            next < target->value_count)
            add_gauge(extra, &target->values[next++], &resources[i].limit);
    }
}

/* Word numbers to bytes in the cell. */
static void set_words(struct extra *extra, const struct layout *layout)
{
    extra->items = layout->items * 8;
    extra->interval = layout->interval * 8;
    extra->last_start = layout->last_start * 8;
    extra->last_epoch = layout->last_epoch * 8;
    extra->last_success = layout->last_success * 8;
    extra->last_finish = layout->last_finish * 8;
    extra->errors = layout->errors * 8;
    extra->error_count = layout->error_count;
}

uint64_t extras_cell(const struct layout *layout, uint64_t first)
{
    bool has_labels = layout->entry_labels + layout->end_labels > 0;

    return has_labels ? first + (layout->cell_count + layout->entry_cells) * layout->stride : first;
}

uint64_t extras_home(const struct layout *layout, uint64_t first)
{
    if (layout->end_labels)
        return first + (layout->cell_count + layout->entry_cells - 1) * layout->stride;
    return first + (layout->cell_count - 1) * layout->stride;
}

static bool has_gauges(const struct extra *extra, bool is_end)
{
    for (uint32_t i = 0; i < extra->gauge_count; i++)
        if ((extra->gauges[i].location.place == VALUE_RESULT) == is_end)
            return true;
    return false;
}

struct extra *extras_create(struct hook_arena *arena, struct segment_header *segment, const struct manifest *manifest,
                            const struct resolve_target *target, const struct layout *layout,
                            const struct extras_tables *tables, uint64_t cell)
{
    const struct manifest_function *function = &manifest->functions[target->function];
    struct extra *extra = hook_arena_take(arena, sizeof(*extra));
    uint64_t sampling_cell = extras_cell(layout, cell);
    size_t next = function->dynamic_label_count;

    extra->gauge_count = 0; /* it may have served before (late.h) */
    extra->stride = layout->stride;
    extra->entry_label_count = layout->entry_labels;
    extra->label_count = layout->entry_labels + layout->end_labels;
    extra->has_end_labels = layout->end_labels > 0;
    set_labels(extra, function, target->values);
    if (layout->end_labels) {
        extra->at_end = (struct extra_table){tuples_of(segment, tables->values), cell};
        extra->at_entry =
            (struct extra_table){tuples_of(segment, tables->entry_values), cell + layout->cell_count * layout->stride};
    } else {
        extra->at_entry = (struct extra_table){tuples_of(segment, tables->values), cell};
    }
    if (layout->items && next < target->value_count) {
        extra->has_items = true;
        extra->items_location = target->values[next++];
        extra->is_item_result = extra->items_location.place == VALUE_RESULT;
    }
    set_words(extra, layout);
    set_gauges(extra, segment, manifest, target, next);
    if (tables->error_values) {
        extra->error_values = tuples_of(segment, tables->error_values);
        extra->error_location = result_location(function->returns);
    }
    if (layout->is_sampled) {
        extra->sampling = table_at(segment, tables->sampling);
        extra->skip = sampling_cell + layout->skip * 8;
        extra->weight = sampling_cell + layout->weight * 8;
        extra->skipped = layout->skipped ? sampling_cell + layout->skipped * 8 : 0;
    }
    extra->has_start = (extra->has_items && !extra->is_item_result) || extra->last_start || has_gauges(extra, false);
    return extra;
}

void extras_prepare(struct extra *extra, void (*prepare)(struct value_location *))
{
    for (uint32_t i = 0; i < extra->label_count; i++)
        prepare(&extra->labels[i].location);
    for (uint32_t i = 0; i < extra->gauge_count; i++)
        prepare(&extra->gauges[i].location);
    prepare(&extra->items_location);
    prepare(&extra->error_location);
}

int extras_map_variants(struct extra *extra, enum extra_role role, const struct layout *layout, size_t bytes)
{
    size_t count = (size_t)layout->capacity + 1;
    void *memory;

    if (extra->roles[role].variants)
        return 0;
    memory = mmap(NULL, count * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    extra->variant_bytes = bytes;
    extra->roles[role].variants = memory;
    return 0;
}

void extras_place(struct extra *extra, enum extra_role role, void *original, void *bypass)
{
    uint8_t *variants = extra->roles[role].variants;

    for (size_t i = 0; variants && i <= extra->at_entry.tuples.capacity; i++) {
        struct hook *variant = (struct hook *)(variants + i * extra->variant_bytes);

        if (!variant->extra)
            continue;
        variant->original = original;
        variant->bypass = bypass;
    }
}

bool extras_has_vectors(const struct extra *extra)
{
    bool has = extra->has_items && extra->items_location.place == VALUE_IN_VECTOR;

    for (uint32_t i = 0; i < extra->label_count; i++)
        has |= extra->labels[i].location.place == VALUE_IN_VECTOR;
    for (uint32_t i = 0; i < extra->gauge_count; i++)
        has |= extra->gauges[i].location.place == VALUE_IN_VECTOR;
    return has;
}

bool extras_has_entry(const struct extra *extra)
{
    return extra->label_count || extra->has_start;
}

bool extras_has_end(const struct extra *extra)
{
    return extra->has_end_labels || extra->has_items || extra->errors || extra->last_finish || has_gauges(extra, true);
}
