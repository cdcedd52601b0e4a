#include "preload/control/state/old_values.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    KEY_WORDS_MAX = 1024,
};

static const void *at(const struct segment_header *segment, uint64_t offset)
{
    return (const char *)segment + offset;
}

/* Words of a field; 0 if there are no such fields. */
static uint32_t field_words(const struct segment_value *label, const uint64_t *field)
{
    if (label->type != SEGMENT_VALUE_STRING)
        return field[0] == 0 || field[0] == SEGMENT_VALUE_INVALID ? SEGMENT_SCALAR_FIELD_BYTES / 8 : 0;
    if (field[0] == SEGMENT_VALUE_INVALID)
        return 1;
    return field[0] <= SEGMENT_STRING_BYTES ? ((uint32_t)field[0] + 7) / 8 + 1 : 0;
}

uint32_t old_values_key_words(const struct segment_header *fresh, const struct segment_values *values,
                              const uint64_t *key)
{
    const struct segment_value *labels = at(fresh, values->values);
    uint32_t words = 0;

    for (uint32_t i = 0; i < values->value_count; i++) {
        uint32_t begin = labels[i].key_offset / 8;
        uint32_t field = field_words(&labels[i], key + begin);

        if (field == 0)
            return 0;
        words = begin + field;
    }
    return words;
}

static bool are_keys(const struct old_file *file, const struct old_values *values)
{
    for (uint32_t i = 0; i < values->count; i++)
        if (old_values_key_words(file->fresh, values->fresh,
                                 values->keys + (uint64_t)i * values->fresh->key_bytes / 8) == 0)
            return false;
    return true;
}

static bool is_same_table(const struct segment_values *old, const struct segment_values *fresh)
{
    return old->capacity == fresh->capacity && old->value_count == fresh->value_count &&
           old->key_bytes == fresh->key_bytes && old->keys == fresh->keys && old->count <= fresh->capacity &&
           fresh->key_bytes / 8 <= KEY_WORDS_MAX;
}

static int read_keys(struct old_file *file, struct old_values *values)
{
    const struct segment_values *fresh = values->fresh;
    int result;

    values->keys = calloc((uint64_t)values->count + 1, fresh->key_bytes);
    values->places = calloc((uint64_t)fresh->capacity + 1, sizeof(*values->places));
    if (!values->keys || !values->places)
        return old_file_no_memory(file);
    result = old_file_read(file, values->keys, (uint64_t)values->count * fresh->key_bytes, fresh->keys);
    if (result != 0)
        return result;
    return are_keys(file, values) ? 0 : old_file_damaged(file, "a label's value is none");
}

static int read_table(struct old_tables *tables, struct old_file *file, uint64_t offset)
{
    struct old_values *values = &tables->tables[tables->count];
    const struct segment_values *fresh = at(file->fresh, offset);
    struct segment_values old;
    int result = old_file_read(file, &old, sizeof(old), offset);

    if (result != 0)
        return result;
    if (!is_same_table(&old, fresh))
        return old_file_damaged(file, "its tables of labels contradict themselves");
    *values = (struct old_values){.fresh = fresh, .offset = offset, .count = old.count};
    tables->count++;
    return read_keys(file, values);
}

const struct old_values *old_values_find(const struct old_tables *tables, uint64_t offset)
{
    for (size_t i = tables->count; offset && i-- > 0;)
        if (tables->tables[i].offset == offset)
            return &tables->tables[i];
    return NULL;
}

/* Series of one function that two names have share their tables; they follow each other closely. */
int old_values_read(struct old_tables *tables, struct old_file *file)
{
    const struct segment_series *series = at(file->fresh, file->fresh->series);
    uint32_t count = file->fresh->series_count;

    tables->count = 0;
    tables->tables = calloc(3 * (uint64_t)count + 1, sizeof(*tables->tables));
    if (!tables->tables)
        return old_file_no_memory(file);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t offsets[] = {series[i].values, series[i].error_values, series[i].entry_values};

        for (int j = 0; j < 3; j++) {
            int result = 0;

            if (offsets[j] && !old_values_find(tables, offsets[j]))
                result = read_table(tables, file, offsets[j]);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

void old_values_finish(struct old_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        free(tables->tables[i].keys);
        free(tables->tables[i].places);
    }
    free(tables->tables);
}
