#include "preload/control/segment/rows.h"

#include <string.h>

struct segment_function *rows_at(struct segment_header *segment, uint32_t row)
{
    return (struct segment_function *)((char *)segment + segment->functions) + row;
}

const char *rows_text(const struct segment_header *segment, uint64_t offset)
{
    return (const char *)segment + offset;
}

static bool is_claimed(const struct segment_header *segment, const struct segment_function *function)
{
    return *rows_text(segment, function->module) != '\0';
}

uint32_t rows_find(struct segment_header *segment, const struct rows_key *key)
{
    for (uint32_t row = 0; row < segment->function_count; row++) {
        const struct segment_function *function = rows_at(segment, row);

        if (function->entry == key->entry && strcmp(rows_text(segment, function->module), key->module) == 0 &&
            strcmp(rows_text(segment, function->symbol), key->symbol) == 0 &&
            strcmp(rows_text(segment, function->name), key->name) == 0)
            return row;
    }
    return ROWS_NONE;
}

uint32_t rows_first(struct segment_header *segment, uint32_t entry)
{
    for (uint32_t row = 0; row < segment->function_count; row++)
        if (rows_at(segment, row)->entry == entry)
            return row;
    return ROWS_NONE;
}

uint32_t rows_unclaimed(struct segment_header *segment, uint32_t entry)
{
    uint32_t row = rows_first(segment, entry);

    return row != ROWS_NONE && !is_claimed(segment, rows_at(segment, row)) ? row : ROWS_NONE;
}

struct segment_series *rows_series(struct segment_header *segment, uint32_t row)
{
    struct segment_series *series = (struct segment_series *)((char *)segment + segment->series);

    for (uint32_t i = 0; i < segment->series_count; i++)
        if (series[i].function == row)
            return &series[i];
    return NULL;
}

bool rows_has_text(const struct segment_header *segment, uint64_t bytes)
{
    return segment->text_bytes - segment->text_used >= bytes;
}

uint64_t rows_take_cells(struct segment_header *segment, uint64_t bytes)
{
    uint64_t cells = segment->cells_used;

    if (cells > segment->block_bytes || segment->block_bytes - cells < bytes)
        return 0;
    segment->cells_used = cells + bytes;
    return cells;
}
