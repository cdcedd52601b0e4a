#include "server/formats/writer.h"

#include <stddef.h>
#include <string.h>

#include "server/common/numbers.h"
#include "server/common/utf8.h"
#include "server/snapshot/snapshot.h"

/* What stands for the character of `length` bytes, 0 if it is none; NULL: it stands for itself. */
static const char *escape(char first, size_t length, bool is_value)
{
    if (length == 0)
        return UTF8_REPLACEMENT;
    if (first == '"' && is_value)
        return "\\\"";
    return first == '\n' ? "\\n" : first == '\\' ? "\\\\" : NULL;
}

void writer_add_escaped(struct buffer *out, const char *text, bool is_value)
{
    const char *plain = text;

    while (*text) {
        size_t length = utf8_length(text, SIZE_MAX);
        const char *instead = escape(*text, length, is_value);

        if (instead) {
            buffer_add(out, plain, (size_t)(text - plain));
            buffer_add_text(out, instead);
            plain = text + (length ? length : 1);
        }
        text += length ? length : 1;
    }
    buffer_add(out, plain, (size_t)(text - plain));
}

static void add_pair(struct buffer *out, const char *name, const char *value)
{
    buffer_add_text(out, name);
    buffer_add(out, "=\"", 2);
    writer_add_escaped(out, value, true);
    buffer_add(out, "\"", 1);
}

static bool has_name(const struct writer_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    return false;
}

void writer_add_labels(struct buffer *out, const struct writer_pair *pairs, size_t pair_count, size_t reserved_count,
                       const char *labels)
{
    bool is_first = true;

    for (size_t i = 0; i < pair_count; i++) {
        if (!is_first)
            buffer_add(out, ",", 1);
        add_pair(out, pairs[i].name, pairs[i].value);
        is_first = false;
    }
    while (*labels) {
        const char *value = labels + strlen(labels) + 1;

        if (!has_name(pairs, reserved_count, labels)) {
            if (!is_first)
                buffer_add(out, ",", 1);
            add_pair(out, labels, value);
            is_first = false;
        }
        labels = value + strlen(value) + 1;
    }
}

static void add_name(struct writer *writer)
{
    buffer_add(writer->out, writer->name.data, writer->name.used_bytes);
}

/* The family's name is in writer->name. */
static void write_header(struct writer *writer, const char *type, const char *help)
{
    if (writer->name.error) {
        if (!writer->out->error)
            writer->out->error = writer->name.error;
        return;
    }
    buffer_add(writer->out, "# HELP ", 7);
    add_name(writer);
    buffer_add(writer->out, " ", 1);
    writer_add_escaped(writer->out, help, false);
    buffer_add(writer->out, "\n# TYPE ", 8);
    add_name(writer);
    buffer_add(writer->out, " ", 1);
    buffer_add_text(writer->out, type);
    buffer_add(writer->out, "\n", 1);
}

void writer_begin_plain_family(struct writer *writer, const char *name, const char *type, const char *help)
{
    writer->name.used_bytes = 0;
    buffer_add_text(&writer->name, name);
    write_header(writer, type, help);
}

void writer_begin_family(struct writer *writer, enum metric metric)
{
    const struct metric_text *text = &metric_texts[metric];

    writer->name.used_bytes = 0;
    if (*writer->snapshot->namespace_) {
        buffer_add_text(&writer->name, writer->snapshot->namespace_);
        buffer_add(&writer->name, "_", 1);
    }
    buffer_add_text(&writer->name, text->name);
    write_header(writer, text->type, text->help);
}

void writer_begin_sample(struct writer *writer, const struct writer_pair *pairs, size_t count)
{
    const char *constant = writer->snapshot->constant_labels;

    add_name(writer);
    if (!count && !*constant)
        return;
    buffer_add(writer->out, "{", 1);
    writer_add_labels(writer->out, pairs, count, count, constant);
    buffer_add(writer->out, "}", 1);
}

void writer_begin_bare_sample(struct writer *writer)
{
    add_name(writer);
}

static void end_sample(struct writer *writer, const char *number, size_t length)
{
    buffer_add(writer->out, " ", 1);
    buffer_add(writer->out, number, length);
    buffer_add(writer->out, "\n", 1);
}

void writer_end_uint64(struct writer *writer, uint64_t value)
{
    char number[NUMBERS_BYTES];

    end_sample(writer, number, numbers_format_uint64(value, number));
}

void writer_end_double(struct writer *writer, double value)
{
    char number[NUMBERS_BYTES];

    end_sample(writer, number, numbers_format_double(value, number));
}
