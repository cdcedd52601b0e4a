#include "preload/control/state/layout_hash.h"

#include <stdbool.h>
#include <string.h>

#include "preload/control/state/fnv.h"

static const void *at(const struct segment_header *segment, uint64_t offset)
{
    return (const char *)segment + offset;
}

static void hash_number(uint64_t *hash, uint64_t number)
{
    fnv_add(hash, &number, sizeof(number));
}

static void hash_text(uint64_t *hash, const struct segment_header *segment, uint64_t offset)
{
    const char *text = at(segment, offset);

    fnv_add(hash, text, strlen(text) + 1);
}

/* Pairs of texts that an empty one ends, or texts with replacements, of which the first may be empty. */
static void hash_pairs(uint64_t *hash, const struct segment_header *segment, uint64_t offset, bool is_map)
{
    const char *text = at(segment, offset);

    for (bool is_first = is_map; *text || is_first; is_first = false)
        for (int i = 0; i < 2; i++) {
            size_t bytes = strlen(text) + 1;

            fnv_add(hash, text, bytes);
            text += bytes;
        }
    hash_number(hash, 0);
}

static void hash_values(uint64_t *hash, const struct segment_header *segment, uint64_t offset)
{
    const struct segment_values *values = at(segment, offset);
    const struct segment_value *labels;

    hash_number(hash, offset);
    if (!offset)
        return;
    labels = at(segment, values->values);
    hash_number(hash, values->capacity);
    hash_number(hash, values->key_bytes);
    hash_number(hash, values->keys);
    hash_number(hash, values->value_count);
    for (uint32_t i = 0; i < values->value_count; i++) {
        hash_text(hash, segment, labels[i].name);
        hash_number(hash, labels[i].type);
        hash_number(hash, labels[i].key_offset);
        if (labels[i].map)
            hash_pairs(hash, segment, labels[i].map, true);
    }
}

static void hash_series(uint64_t *hash, const struct segment_header *segment, const struct segment_series *series)
{
    const uint64_t numbers[] = {
        series->function,          series->bucket_count,     series->cell,         series->has_no_duration,
        series->cell_words,        series->summed_words,     series->skipped_word, series->items_word,
        series->interval_word,     series->errors_word,      series->error_count,  series->last_start_word,
        series->last_success_word, series->last_finish_word, series->entry_cell,   series->entry_cells,
        series->is_health_check,
    };

    fnv_add(hash, numbers, sizeof(numbers));
    hash_text(hash, segment, series->kind);
    hash_pairs(hash, segment, series->labels, false);
    fnv_add(hash, at(segment, series->bounds), series->bucket_count * sizeof(double));
    hash_values(hash, segment, series->values);
    hash_values(hash, segment, series->error_values);
    hash_values(hash, segment, series->entry_values);
}

uint64_t layout_hash(const struct segment_header *segment)
{
    const struct segment_function *functions = at(segment, segment->functions);
    const struct segment_series *series = at(segment, segment->series);
    uint64_t hash = FNV_BASIS;

    hash_number(&hash, segment->function_capacity);
    hash_number(&hash, segment->function_count);
    hash_number(&hash, segment->series_count);
    hash_number(&hash, segment->block_bytes);
    hash_number(&hash, segment->panics);
    hash_number(&hash, segment->recovered);
    for (uint32_t i = 0; i < segment->function_count; i++) {
        hash_text(&hash, segment, functions[i].name);
        hash_text(&hash, segment, functions[i].module);
        hash_text(&hash, segment, functions[i].symbol);
    }
    for (uint32_t i = 0; i < segment->series_count; i++)
        hash_series(&hash, segment, &series[i]);
    return hash ? hash : 1;
}
