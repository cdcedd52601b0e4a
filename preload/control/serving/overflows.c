#include "preload/control/serving/overflows.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/segment/segment.h"

enum {
    TEXT_BYTES = 512
};

/* By series, two tables each: of labels, of types of errors. */
static const struct segment_header *segment;
static bool *is_told;
static char text[TEXT_BYTES];

static const void *at(uint64_t offset)
{
    return (const char *)segment + offset;
}

void overflows_init(const struct segment_header *given)
{
    segment = given;
    is_told = calloc((size_t)given->series_capacity * 2 + 1, sizeof(*is_told));
}

/* The names of the labels, with commas. */
static void add_names(const struct segment_values *values, size_t *used)
{
    const struct segment_value *value = at(values->values);

    for (uint32_t i = 0; i < values->value_count && *used < sizeof(text); i++)
        *used += (size_t)snprintf(text + *used, sizeof(text) - *used, "%s%s", i ? ", " : "",
                                  (const char *)at(value[i].name));
}

static bool tell(const struct segment_series *series, uint64_t table, bool *told)
{
    const struct segment_function *functions = at(segment->functions);
    const struct segment_values *values = at(table);
    uint32_t count;
    size_t used;

    if (!table || *told || !__atomic_load_n(&values->is_overflowed, __ATOMIC_RELAXED))
        return false;
    *told = true;
    count = __atomic_load_n(&values->count, __ATOMIC_RELAXED);
    used = (size_t)snprintf(text, sizeof(text), "%s: the label ", (const char *)at(functions[series->function].name));
    add_names(values, &used);
    if (used < sizeof(text) && count == values->capacity)
        snprintf(text + used, sizeof(text) - used,
                 " has more than %u values: all others are counted as _other (see max_values)", values->capacity);
    else if (used < sizeof(text))
        snprintf(text + used, sizeof(text) - used,
                 " has values that are counted as _other: they came while another thread, which is stopped, was adding "
                 "one");
    return true;
}

const char *overflows_trouble(void)
{
    const struct segment_series *series = at(segment->series);

    for (uint32_t i = 0; is_told && i < segment->series_count; i++)
        if (tell(&series[i], series[i].values, &is_told[2 * i]) ||
            tell(&series[i], series[i].error_values, &is_told[2 * i + 1]))
            return text;
    return NULL;
}
