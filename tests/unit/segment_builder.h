/* Segments in plain memory for the tests of server/. */
#ifndef CALLMETER_TESTS_SEGMENT_BUILDER_H
#define CALLMETER_TESTS_SEGMENT_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/segment/segment.h"

struct segment_builder {
    struct segment_header *segment;
    uint64_t next_cell;
};

/* What is zero gets a default that is enough for a small test. Labels are string literals "name\0value\0...". */
struct segment_builder_options {
    const char *namespace_;
    const char *constant_labels;
    uint32_t functions;
    uint32_t series;
    uint32_t blocks;
    uint64_t block_bytes;
    uint32_t resources;
    uint64_t table_bytes; /* for tables of values with many tuples */
    const int *signals;   /* ends with 0; default none */
};

struct segment_builder_series {
    uint32_t function;
    const char *kind;   /* default "function" */
    const char *labels; /* default none */
    const double *bounds;
    uint32_t bucket_count;
    uint32_t is_from_glob;
    uint32_t has_no_duration;
    uint64_t shared_cell; /* offset of another series's cell, and one; 0: a cell of its own */
    bool has_skipped;
    bool has_items;
    bool has_interval;
    bool has_last_start;
    bool has_last_success;
    bool is_health_check;
    bool has_errors; /* by errno, unless error_values is given */
    bool has_entry;  /* entry cells */
    uint64_t values; /* offsets, as segment_builder_add_values returned them */
    uint64_t error_values;
    uint64_t entry_values;
    double sample_interval; /* 0: no sampling */
};

struct segment_builder_label {
    const char *name;
    enum segment_value_type type;
    const char *map; /* "value\0replacement\0...", or NULL */
};

/* One value of a tuple: a text, or a word for other types. */
struct segment_builder_value {
    const char *text;
    uint64_t word;
    bool is_invalid;
};

/* A shared mapping, not one page of which is touched beyond what is written; one tick is a nanosecond. All blocks are
 * claimed. */
void segment_builder_init(struct segment_builder *builder, const struct segment_builder_options *options);

/* In the full state. Returns its index. */
uint32_t segment_builder_add_function(struct segment_builder *builder, const char *name, const char *module);
uint32_t segment_builder_add_series(struct segment_builder *builder, const struct segment_builder_series *series);

/* A table of values for up to `capacity` tuples. Returns its offset. */
uint64_t segment_builder_add_values(struct segment_builder *builder, const struct segment_builder_label *labels,
                                    uint32_t label_count, uint32_t capacity);

/* One value for each label. Returns its place. */
uint32_t segment_builder_add_tuple(struct segment_builder *builder, uint64_t values,
                                   const struct segment_builder_value *tuple);

/* Returns its offset. */
uint64_t segment_builder_add_text(struct segment_builder *builder, const char *text, size_t bytes);

struct segment_function *segment_builder_function(struct segment_builder *builder, uint32_t function);
struct segment_series *segment_builder_series(struct segment_builder *builder, uint32_t series);
struct segment_resource *segment_builder_resource(struct segment_builder *builder, uint32_t resource);

/* Counts of panics, by position in signals[]; of none for function_capacity. */
uint64_t *segment_builder_panics(struct segment_builder *builder, uint32_t function);

uint64_t *segment_builder_recovered(struct segment_builder *builder, uint32_t function);
uint64_t *segment_builder_cell(struct segment_builder *builder, uint32_t block, uint32_t series);

/* The cell of a tuple, and that of a tuple known at the start. */
uint64_t *segment_builder_place(struct segment_builder *builder, uint32_t block, uint32_t series, uint32_t place);
uint64_t *segment_builder_entry(struct segment_builder *builder, uint32_t block, uint32_t series, uint32_t place);

void segment_builder_finish(struct segment_builder *builder);

#endif
