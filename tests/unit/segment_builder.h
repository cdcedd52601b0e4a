/* Segments in plain memory for the tests of server/. */
#ifndef CALLMETER_TESTS_SEGMENT_BUILDER_H
#define CALLMETER_TESTS_SEGMENT_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "server/segment.h"

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
};

/* A shared mapping, not one page of which is touched beyond what is written; one tick is a nanosecond. All blocks are
 * claimed. */
void segment_builder_init(struct segment_builder *builder, const struct segment_builder_options *options);

/* In the full state. Returns its index. */
uint32_t segment_builder_add_function(struct segment_builder *builder, const char *name, const char *module);
uint32_t segment_builder_add_series(struct segment_builder *builder, const struct segment_builder_series *series);

/* Returns its offset. */
uint64_t segment_builder_add_text(struct segment_builder *builder, const char *text, size_t bytes);

struct segment_function *segment_builder_function(struct segment_builder *builder, uint32_t function);
struct segment_series *segment_builder_series(struct segment_builder *builder, uint32_t series);
uint64_t *segment_builder_cell(struct segment_builder *builder, uint32_t block, uint32_t series);

void segment_builder_finish(struct segment_builder *builder);

#endif
