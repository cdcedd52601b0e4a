/* Families and samples of the text format. Private to the formats. */
#ifndef CALLMETER_SERVER_FORMATS_WRITER_H
#define CALLMETER_SERVER_FORMATS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/common/buffer.h"
#include "server/formats/metrics.h"

struct snapshot;

struct writer_pair {
    const char *name;
    const char *value;
};

/* Zeroed but for the first two members. */
struct writer {
    struct buffer *out;
    const struct snapshot *snapshot;
    struct buffer name; /* of the family under way, namespace included */
};

/* Adds text with backslash and newline escaped, and quotes too where it is a label's value. A byte that is not UTF-8,
 * which would cost the whole scrape, becomes U+FFFD: names of functions and files may hold any. Context of all here:
 * server thread. */
void writer_add_escaped(struct buffer *out, const char *text, bool is_value);

/* Adds the pairs, then those of `labels` (name NUL value NUL ... NUL) whose names are not taken by the first
 * reserved_count pairs: a label that comes twice would cost the whole scrape. Of these, pair_count are added. */
void writer_add_labels(struct buffer *out, const struct writer_pair *pairs, size_t pair_count, size_t reserved_count,
                       const char *labels);

/* Begins a family. One without samples is not to be begun at all. */
void writer_begin_family(struct writer *writer, enum metric metric);

/* The same, for a name that carries no namespace. */
void writer_begin_plain_family(struct writer *writer, const char *name, const char *type, const char *help);

/* A sample of a metric that is not a function's: its own labels and the constant ones. Its value is to follow. */
void writer_begin_sample(struct writer *writer, const struct writer_pair *pairs, size_t count);

/* One without any label. */
void writer_begin_bare_sample(struct writer *writer);

void writer_end_uint64(struct writer *writer, uint64_t value);
void writer_end_double(struct writer *writer, double value);

#endif
