/* The Prometheus text exposition format. */
#include "server/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "server/buffer.h"
#include "server/format.h"
#include "server/process.h"
#include "server/snapshot.h"

enum {
    BOUND_CACHE = 256
};

/* Bounds are few and come again with each series. */
struct bound_text {
    uint64_t bits;
    size_t length; /* 0: unused */
    char text[FORMAT_BYTES];
};

struct pair {
    const char *name;
    const char *value;
};

struct writer {
    struct buffer *out;
    const struct snapshot *snapshot;
    struct buffer labels; /* of all series, rendered once: function="...",module="...", ... */
    size_t *label_at;     /* series i: labels.data[label_at[i]] up to label_at[i + 1] */
    const char *name;     /* of the family under way */
    bool is_prefixed;     /* the namespace comes before the name */
    struct bound_text bounds[BOUND_CACHE];
};

/* Adds text with backslash and newline escaped, and quotes too where it is a label's value. */
static void add_escaped(struct buffer *out, const char *text, bool is_value)
{
    const char *special = is_value ? "\\\n\"" : "\\\n";

    for (;;) {
        size_t plain = strcspn(text, special);

        buffer_add(out, text, plain);
        text += plain;
        if (!*text)
            return;
        buffer_add(out, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\", 2);
        text++;
    }
}

static void add_pair(struct buffer *out, const char *name, const char *value)
{
    buffer_add_text(out, name);
    buffer_add(out, "=\"", 2);
    add_escaped(out, value, true);
    buffer_add(out, "\"", 1);
}

static bool has_name(const struct pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    return false;
}

/* Adds the pairs, then those of `labels` (name NUL value NUL ... NUL) whose names are not taken by the first
 * reserved_count pairs: a label that comes twice would cost the whole scrape. Of these, pair_count are added. */
static void add_labels(struct buffer *out, const struct pair *pairs, size_t pair_count, size_t reserved_count,
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

static void add_name(struct writer *writer, const char *suffix)
{
    if (writer->is_prefixed && *writer->snapshot->namespace_) {
        buffer_add_text(writer->out, writer->snapshot->namespace_);
        buffer_add(writer->out, "_", 1);
    }
    buffer_add_text(writer->out, writer->name);
    buffer_add_text(writer->out, suffix);
}

/* Begins a family. One without samples is not begun at all. */
static void begin_family(struct writer *writer, const char *name, const char *type, const char *help)
{
    writer->name = name;
    buffer_add(writer->out, "# HELP ", 7);
    add_name(writer, " ");
    add_escaped(writer->out, help, false);
    buffer_add(writer->out, "\n# TYPE ", 8);
    add_name(writer, " ");
    buffer_add_text(writer->out, type);
    buffer_add(writer->out, "\n", 1);
}

static void end_sample(struct writer *writer, const char *number, size_t length)
{
    buffer_add(writer->out, " ", 1);
    buffer_add(writer->out, number, length);
    buffer_add(writer->out, "\n", 1);
}

static void end_uint64(struct writer *writer, uint64_t value)
{
    char number[FORMAT_BYTES];

    end_sample(writer, number, format_uint64(value, number));
}

static void end_double(struct writer *writer, double value)
{
    char number[FORMAT_BYTES];

    end_sample(writer, number, format_double(value, number));
}

/* A sample of a metric that is not a function's: its own labels and the constant ones. Its value is to follow. */
static void begin_sample(struct writer *writer, const struct pair *pairs, size_t count)
{
    const char *constant = writer->snapshot->constant_labels;

    add_name(writer, "");
    if (!count && !*constant)
        return;
    buffer_add(writer->out, "{", 1);
    add_labels(writer->out, pairs, count, count, constant);
    buffer_add(writer->out, "}", 1);
}

/* A sample of a series: its labels, and one more if `name` is given. Its value is to follow. */
static void begin_series_sample(struct writer *writer, size_t index, const char *suffix, const char *name,
                                const char *value)
{
    struct buffer *out = writer->out;

    add_name(writer, suffix);
    buffer_add(out, "{", 1);
    buffer_add(out, writer->labels.data + writer->label_at[index],
               writer->label_at[index + 1] - writer->label_at[index]);
    if (name) {
        buffer_add(out, ",", 1);
        add_pair(out, name, value);
    }
    buffer_add(out, "}", 1);
}

/* Renders the labels of all series once, for all families. False if there is no memory. */
static bool render_labels(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    writer->label_at = pages_alloc((snapshot->series_count + 1) * sizeof(size_t));
    if (!writer->label_at)
        return false;
    for (size_t i = 0; i < snapshot->series_count; i++) {
        const struct snapshot_series *series = &snapshot->series[i];
        const struct pair pairs[] = {{"function", series->function},
                                     {"module", series->module},
                                     {"kind", series->kind},
                                     {"outcome", ""},
                                     {"le", ""}};

        add_labels(&writer->labels, pairs, 3, 5, series->labels);
        writer->label_at[i + 1] = writer->labels.used_bytes;
    }
    return writer->labels.error == 0;
}

static void write_calls(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (!snapshot->series_count)
        return;
    begin_family(writer, "calls_total", "counter", "Finished calls by outcome.");
    for (size_t i = 0; i < snapshot->series_count; i++)
        for (int outcome = 0; outcome < SNAPSHOT_OUTCOMES; outcome++) {
            begin_series_sample(writer, i, "", "outcome", snapshot_outcome_name((enum snapshot_outcome)outcome));
            end_uint64(writer, snapshot->series[i].outcomes[outcome]);
        }
}

static bool has_durations(const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->series_count; i++)
        if (snapshot->series[i].has_duration)
            return true;
    return false;
}

static void write_active(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (!has_durations(snapshot))
        return;
    begin_family(writer, "calls_active", "gauge", "Calls in progress.");
    for (size_t i = 0; i < snapshot->series_count; i++)
        if (snapshot->series[i].has_duration) {
            begin_series_sample(writer, i, "", NULL, NULL);
            end_uint64(writer, snapshot->series[i].active);
        }
}

static const struct bound_text *bound_text(struct writer *writer, double bound)
{
    struct bound_text *cached;
    uint64_t bits;

    memcpy(&bits, &bound, sizeof(bits));
    cached = &writer->bounds[bits * UINT64_C(0x9E3779B97F4A7C15) >> 56];
    if (!cached->length || cached->bits != bits) {
        cached->bits = bits;
        cached->length = format_bound(bound, cached->text);
    }
    return cached;
}

static char *put(char *cursor, const void *bytes, size_t count)
{
    memcpy(cursor, bytes, count);
    return cursor + count;
}

/* Adds a bucket's line. All but `le` and the count is what `start` says: there are very many of these lines. */
static void write_bucket(struct writer *writer, const struct buffer *start, const char *bound, size_t bound_length,
                         uint64_t count)
{
    char *line = buffer_reserve(writer->out, start->used_bytes + bound_length + FORMAT_BYTES + 8);
    char number[FORMAT_BYTES];
    char *cursor;

    if (!line || !start->data)
        return;
    cursor = put(line, start->data, start->used_bytes);
    cursor = put(cursor, bound, bound_length);
    cursor = put(cursor, "\"} ", 3);
    cursor = put(cursor, number, format_uint64(count, number));
    *cursor++ = '\n';
    writer->out->used_bytes += (size_t)(cursor - line);
}

/* `start` is scratch memory: the part that all bucket lines of the series begin with. */
static void write_buckets(struct writer *writer, size_t index, struct buffer *start)
{
    const struct snapshot_series *series = &writer->snapshot->series[index];
    struct buffer *out = writer->out;
    uint64_t count = 0;

    start->used_bytes = 0;
    writer->out = start;
    begin_series_sample(writer, index, "_bucket", "le", "");
    writer->out = out;
    if (start->error) {
        out->error = start->error;
        return;
    }
    start->used_bytes -= strlen("\"}");
    for (uint32_t i = 0; i < series->bucket_count; i++) {
        const struct bound_text *bound = bound_text(writer, series->bounds[i]);

        count += series->buckets[i];
        write_bucket(writer, start, bound->text, bound->length, count);
    }
    write_bucket(writer, start, "+Inf", 4, series->count);
}

static void write_durations(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;
    struct buffer start = {0};

    if (!has_durations(snapshot))
        return;
    begin_family(writer, "call_duration_seconds", "histogram", "Wall time of calls that returned or threw.");
    for (size_t i = 0; i < snapshot->series_count; i++) {
        const struct snapshot_series *series = &snapshot->series[i];

        if (!series->has_duration)
            continue;
        write_buckets(writer, i, &start);
        begin_series_sample(writer, i, "_sum", NULL, NULL);
        end_double(writer, series->sum_seconds);
        begin_series_sample(writer, i, "_count", NULL, NULL);
        end_uint64(writer, series->count);
    }
    buffer_finish(&start);
}

static void write_functions(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    begin_family(writer, "manifest_functions", "gauge", "Functions of the manifest by what became of them.");
    for (int state = 0; state < SEGMENT_FUNCTION_STATES; state++) {
        const struct pair pair = {"state", snapshot_state_name((enum segment_function_state)state)};

        begin_sample(writer, &pair, 1);
        end_uint64(writer, snapshot->states[state]);
    }
    if (!snapshot->function_count)
        return;
    begin_family(writer, "function_info", "gauge", "What became of a function of the manifest, and why; always 1.");
    for (size_t i = 0; i < snapshot->function_count; i++) {
        const struct snapshot_function *function = &snapshot->functions[i];
        const struct pair pairs[] = {{"function", function->name},
                                     {"module", function->module},
                                     {"symbol", function->symbol},
                                     {"mode", snapshot_state_name(function->state)},
                                     {"reason", function->reason}};

        begin_sample(writer, pairs, 5);
        end_uint64(writer, 1);
    }
}

static void write_endpoint(struct writer *writer, const struct text_endpoint *endpoint)
{
    const struct pair build[] = {{"version", endpoint->version}, {"revision", endpoint->revision}};

    begin_family(writer, "build_info", "gauge", "Version and revision of callmeter; always 1.");
    begin_sample(writer, build, 2);
    end_uint64(writer, 1);
    if (endpoint->scrapes_count)
        begin_family(writer, "scrapes_total", "counter", "Answers to scrapes by HTTP status.");
    for (size_t i = 0; i < endpoint->scrapes_count; i++) {
        char code[FORMAT_BYTES];
        const struct pair pair = {"code", code};

        format_uint64(endpoint->scrapes[i].code, code);
        begin_sample(writer, &pair, 1);
        end_uint64(writer, endpoint->scrapes[i].count);
    }
    begin_family(writer, "scrape_duration_seconds", "gauge", "How long the last finished scrape took.");
    begin_sample(writer, NULL, 0);
    end_double(writer, endpoint->scrape_seconds);
}

static void write_process(struct writer *writer, const struct process_stats *stats)
{
    writer->is_prefixed = false;
    for (int i = 0; i < PROCESS_METRICS; i++) {
        const struct process_metric_text *text = &process_metric_texts[i];

        if (!stats->metrics[i].is_known)
            continue;
        begin_family(writer, text->name, text->type, text->help);
        add_name(writer, "");
        end_double(writer, stats->metrics[i].value);
    }
}

void text_render(const struct snapshot *snapshot, const struct text_endpoint *endpoint, struct buffer *buffer)
{
    struct writer writer = {.out = buffer, .snapshot = snapshot, .is_prefixed = true};

    if (render_labels(&writer)) {
        write_calls(&writer);
        write_durations(&writer);
        write_active(&writer);
        write_functions(&writer);
        write_endpoint(&writer, endpoint);
        if (endpoint->process)
            write_process(&writer, endpoint->process);
    } else if (!buffer->error) {
        buffer->error = -ENOMEM;
    }
    pages_free(writer.label_at, (snapshot->series_count + 1) * sizeof(size_t));
    buffer_finish(&writer.labels);
}
