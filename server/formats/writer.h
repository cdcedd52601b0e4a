/* Families and samples of the text format. Private to text.c and text_series.c. */
#ifndef CALLMETER_SERVER_FORMATS_WRITER_H
#define CALLMETER_SERVER_FORMATS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/common/buffer.h"
#include "server/formats/metrics.h"

struct snapshot;

struct text_pair {
    const char *name;
    const char *value;
};

/* Zeroed but for the first two members. */
struct text_writer {
    struct buffer *out;
    const struct snapshot *snapshot;
    struct buffer name; /* of the family under way, namespace included */
};

/* Adds text with backslash and newline escaped, and quotes too where it is a label's value. A byte that is not UTF-8,
 * which would cost the whole scrape, becomes U+FFFD: names of functions and files may hold any. Context of all here:
 * server thread. */
void text_add_escaped(struct buffer *out, const char *text, bool is_value);

/* Adds the pairs, then those of `labels` (name NUL value NUL ... NUL) whose names are not taken by the first
 * reserved_count pairs: a label that comes twice would cost the whole scrape. Of these, pair_count are added. */
void text_add_labels(struct buffer *out, const struct text_pair *pairs, size_t pair_count, size_t reserved_count,
                     const char *labels);

/* Begins a family. One without samples is not to be begun at all. */
void text_begin_family(struct text_writer *writer, enum metric metric);

/* The same, for a name that carries no namespace. */
void text_begin_plain_family(struct text_writer *writer, const char *name, const char *type, const char *help);

/* A sample of a metric that is not a function's: its own labels and the constant ones. Its value is to follow. */
void text_begin_sample(struct text_writer *writer, const struct text_pair *pairs, size_t count);

void text_end_uint64(struct text_writer *writer, uint64_t value);
void text_end_double(struct text_writer *writer, double value);

/* The families of functions. False if there is no memory. */
bool text_write_series(struct text_writer *writer);

#endif
