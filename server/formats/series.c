/* The families of functions in the text format: one line after the other of a series's name, its labels, which are
 * rendered once, and what differs. There may be very many. */
#include "server/formats/series.h"

#include <stdio.h>
#include <string.h>

#include "server/common/numbers.h"
#include "server/common/pages.h"
#include "server/formats/writer.h"
#include "server/snapshot/snapshot.h"

enum {
    BOUND_CACHE = 256,
};

/* Bounds are few and come again with each series. */
struct bound_text {
    uint64_t bits;
    size_t length; /* 0: unused */
    char text[NUMBERS_BYTES];
};

struct series_writer {
    struct writer *writer;
    const struct snapshot *snapshot;
    struct buffer labels; /* of all series: function="...",module="...", ... */
    size_t *label_at;     /* series i: labels.data[label_at[i]] up to label_at[i + 1] */
    struct buffer start;  /* of the lines under way */
    struct bound_text bounds[BOUND_CACHE];
};

/* What follows the labels of a series: `,outcome="success"` and its like, or nothing. */
struct tail {
    const char *text;
    size_t length;
};

static const struct tail no_tail;

/* Renders the labels of all series once, for all families. False if there is no memory. */
static bool render_labels(struct series_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    writer->label_at = pages_alloc((snapshot->series_count + 1) * sizeof(size_t));
    if (!writer->label_at)
        return false;
    for (size_t i = 0; i < snapshot->series_count; i++) {
        const struct snapshot_series *series = &snapshot->series[i];
        const struct writer_pair pairs[] = {{"function", series->function},
                                            {"module", series->module},
                                            {"kind", series->kind},
                                            {"outcome", ""},
                                            {"reason", ""},
                                            {"error_type", ""},
                                            {"le", ""}};

        writer_add_labels(&writer->labels, pairs, 3, sizeof(pairs) / sizeof(*pairs), series->labels);
        writer->label_at[i + 1] = writer->labels.used_bytes;
    }
    return writer->labels.error == 0;
}

static char *put(char *cursor, const void *bytes, size_t count)
{
    if (count)
        memcpy(cursor, bytes, count);
    return cursor + count;
}

/* Puts together what the next lines begin with: the family's name and a suffix, and the labels of a series. */
static void begin_lines(struct series_writer *writer, size_t index, const char *suffix)
{
    const struct buffer *name = &writer->writer->name;
    const char *labels = writer->labels.data + writer->label_at[index];
    struct buffer *start = &writer->start;

    start->used_bytes = 0;
    buffer_add(start, name->data, name->used_bytes);
    buffer_add_text(start, suffix);
    buffer_add(start, "{", 1);
    buffer_add(start, labels, writer->label_at[index + 1] - writer->label_at[index]);
    if (start->error && !writer->writer->out->error)
        writer->writer->out->error = start->error;
}

/* Adds a line up to the number, for which there is room, and returns where that begins. NULL: there is no memory. */
static char *begin_line(struct series_writer *writer, struct tail tail)
{
    const struct buffer *start = &writer->start;
    struct buffer *out = writer->writer->out;
    char *line = buffer_reserve(out, start->used_bytes + tail.length + NUMBERS_BYTES + 3);

    if (!line)
        return NULL;
    line = put(line, start->data, start->used_bytes);
    line = put(line, tail.text, tail.length);
    return put(line, "} ", 2);
}

static void end_line(struct series_writer *writer, char *end)
{
    struct buffer *out = writer->writer->out;

    *end++ = '\n';
    out->used_bytes = (size_t)(end - out->data);
}

static void add_uint64(struct series_writer *writer, struct tail tail, uint64_t value)
{
    char *number = begin_line(writer, tail);

    if (number)
        end_line(writer, number + numbers_format_uint64(value, number));
}

static void write_uint64(struct series_writer *writer, size_t index, const char *suffix, uint64_t value)
{
    begin_lines(writer, index, suffix);
    add_uint64(writer, no_tail, value);
}

static void write_double(struct series_writer *writer, size_t index, const char *suffix, double value)
{
    char *number;

    begin_lines(writer, index, suffix);
    number = begin_line(writer, no_tail);
    if (number)
        end_line(writer, number + numbers_format_double(value, number));
}

/* Begins the family before its first sample. */
static void begin_once(struct series_writer *writer, enum metric metric, bool *is_begun)
{
    if (!*is_begun)
        writer_begin_family(writer->writer, metric);
    *is_begun = true;
}

/* A member of a series, by its offset in struct snapshot_series. */
static const void *member(const struct series_writer *writer, size_t index, size_t offset)
{
    return (const char *)&writer->snapshot->series[index] + offset;
}

/* Counters with one more label ------------------------------------------------------------------------------------- */

enum {
    SPLIT_MAX = 5,
    TAIL_BYTES = 64,
};

/* A counter that each series has so many of: their words, and where they are in struct snapshot_series. */
struct split {
    enum metric metric;
    const char *label;
    const char *words[SPLIT_MAX];
    size_t offset;
};

_Static_assert((int)SPLIT_MAX == (int)SNAPSHOT_OUTCOMES && (int)SPLIT_MAX == (int)SEGMENT_ABANDONED_REASONS,
               "of both splits");

static void write_split(struct series_writer *writer, const struct split *split)
{
    char texts[SPLIT_MAX][TAIL_BYTES];
    struct tail tails[SPLIT_MAX];
    bool is_begun = false;

    for (int i = 0; i < SPLIT_MAX; i++) {
        snprintf(texts[i], TAIL_BYTES, ",%s=\"%s\"", split->label, split->words[i]);
        tails[i] = (struct tail){.text = texts[i], .length = strlen(texts[i])};
    }
    for (size_t i = 0; i < writer->snapshot->series_count; i++) {
        const uint64_t *counts = member(writer, i, split->offset);

        if (!writer->snapshot->series[i].has_outcomes)
            continue;
        begin_once(writer, split->metric, &is_begun);
        begin_lines(writer, i, "");
        for (int j = 0; j < SPLIT_MAX; j++)
            add_uint64(writer, tails[j], counts[j]);
    }
}

static void write_calls(struct series_writer *writer)
{
    struct split split = {
        .metric = METRIC_CALLS, .label = "outcome", .offset = offsetof(struct snapshot_series, outcomes)};

    for (int i = 0; i < SNAPSHOT_OUTCOMES; i++)
        split.words[i] = snapshot_outcome_name((enum snapshot_outcome)i);
    write_split(writer, &split);
}

static void write_abandoned(struct series_writer *writer)
{
    struct split split = {
        .metric = METRIC_CALLS_ABANDONED, .label = "reason", .offset = offsetof(struct snapshot_series, abandoned)};

    for (int i = 0; i < SEGMENT_ABANDONED_REASONS; i++)
        split.words[i] = snapshot_reason_name((enum segment_abandoned_reason)i);
    write_split(writer, &split);
}

/* Renders `,error_type="..."` into scratch memory. */
static struct tail error_tail(struct buffer *scratch, const char *type)
{
    scratch->used_bytes = 0;
    buffer_add_text(scratch, ",error_type=\"");
    writer_add_escaped(scratch, type, true);
    buffer_add(scratch, "\"", 1);
    return (struct tail){.text = scratch->data, .length = scratch->error ? 0 : scratch->used_bytes};
}

static void write_errors(struct series_writer *writer)
{
    struct buffer scratch = {0};
    bool is_begun = false;

    for (size_t i = 0; i < writer->snapshot->error_count; i++) {
        const struct snapshot_error *error = &writer->snapshot->errors[i];

        begin_once(writer, METRIC_CALL_ERRORS, &is_begun);
        begin_lines(writer, error->series, "");
        add_uint64(writer, error_tail(&scratch, error->type), error->count);
    }
    if (scratch.error && !writer->writer->out->error)
        writer->writer->out->error = scratch.error;
    buffer_finish(&scratch);
}

/* Histograms ------------------------------------------------------------------------------------------------------- */

static const struct bound_text *bound_text(struct series_writer *writer, double bound)
{
    struct bound_text *cached;
    uint64_t bits;

    memcpy(&bits, &bound, sizeof(bits));
    cached = &writer->bounds[bits * UINT64_C(0x9E3779B97F4A7C15) >> 56];
    if (!cached->length || cached->bits != bits) {
        cached->bits = bits;
        cached->length = numbers_format_bound(bound, cached->text);
    }
    return cached;
}

static void write_bucket(struct series_writer *writer, const char *bound, size_t bound_length, uint64_t count)
{
    char text[NUMBERS_BYTES + 8];
    char *cursor = put(text, ",le=\"", 5);

    cursor = put(cursor, bound, bound_length);
    *cursor++ = '"';
    add_uint64(writer, (struct tail){.text = text, .length = (size_t)(cursor - text)}, count);
}

static void write_histogram(struct series_writer *writer, size_t index, const struct snapshot_histogram *histogram)
{
    const struct snapshot_series *series = &writer->snapshot->series[index];
    uint64_t count = 0;

    begin_lines(writer, index, "_bucket");
    for (uint32_t i = 0; i < series->bucket_count; i++) {
        const struct bound_text *bound = bound_text(writer, series->bounds[i]);

        count += histogram->buckets[i];
        write_bucket(writer, bound->text, bound->length, count);
    }
    write_bucket(writer, "+Inf", 4, histogram->count);
    write_double(writer, index, "_sum", histogram->sum_seconds);
    write_uint64(writer, index, "_count", histogram->count);
}

static void write_histograms(struct series_writer *writer, enum metric metric, size_t offset)
{
    bool is_begun = false;

    for (size_t i = 0; i < writer->snapshot->series_count; i++) {
        const struct snapshot_histogram *histogram = member(writer, i, offset);

        if (!histogram->is_shown)
            continue;
        begin_once(writer, metric, &is_begun);
        write_histogram(writer, i, histogram);
    }
}

/* Plain numbers ---------------------------------------------------------------------------------------------------- */

static void write_counts(struct series_writer *writer, enum metric metric, size_t offset)
{
    bool is_begun = false;

    for (size_t i = 0; i < writer->snapshot->series_count; i++) {
        const struct snapshot_count *count = member(writer, i, offset);

        if (!count->is_shown)
            continue;
        begin_once(writer, metric, &is_begun);
        write_uint64(writer, i, "", count->value);
    }
}

static void write_gauges(struct series_writer *writer, enum metric metric, size_t offset)
{
    bool is_begun = false;

    for (size_t i = 0; i < writer->snapshot->series_count; i++) {
        const struct snapshot_gauge *gauge = member(writer, i, offset);

        if (!gauge->is_shown)
            continue;
        begin_once(writer, metric, &is_begun);
        write_double(writer, i, "", gauge->value);
    }
}

bool series_write(struct writer *writer)
{
    struct series_writer series = {.writer = writer, .snapshot = writer->snapshot};
    bool has_memory = render_labels(&series);

    if (has_memory) {
        write_calls(&series);
        write_errors(&series);
        write_abandoned(&series);
        write_histograms(&series, METRIC_CALL_DURATION, offsetof(struct snapshot_series, durations));
        write_counts(&series, METRIC_CALLS_ACTIVE, offsetof(struct snapshot_series, active));
        write_counts(&series, METRIC_ITEMS, offsetof(struct snapshot_series, items));
        write_histograms(&series, METRIC_LOOP_INTERVAL, offsetof(struct snapshot_series, intervals));
        write_gauges(&series, METRIC_LAST_CALL, offsetof(struct snapshot_series, last_call));
        write_gauges(&series, METRIC_LAST_SUCCESS, offsetof(struct snapshot_series, last_success));
        write_counts(&series, METRIC_HEALTH_CHECK_UP, offsetof(struct snapshot_series, health));
        write_gauges(&series, METRIC_SAMPLE_INTERVAL, offsetof(struct snapshot_series, sample_interval));
    }
    pages_free(series.label_at, (writer->snapshot->series_count + 1) * sizeof(size_t));
    buffer_finish(&series.labels);
    buffer_finish(&series.start);
    return has_memory;
}
