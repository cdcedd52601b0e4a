/* The Prometheus text exposition format: families and samples, and all families but those of functions. */
#include "server/formats/text.h"

#include <errno.h>
#include <string.h>

#include "server/common/numbers.h"
#include "server/common/process.h"
#include "server/common/utf8.h"
#include "server/formats/writer.h"
#include "server/snapshot/snapshot.h"

/* Families and samples --------------------------------------------------------------------------------------------- */

/* What stands for the character of `length` bytes, 0 if it is none; NULL: it stands for itself. */
static const char *escape(char first, size_t length, bool is_value)
{
    if (length == 0)
        return UTF8_REPLACEMENT;
    if (first == '"' && is_value)
        return "\\\"";
    return first == '\n' ? "\\n" : first == '\\' ? "\\\\" : NULL;
}

void text_add_escaped(struct buffer *out, const char *text, bool is_value)
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
    text_add_escaped(out, value, true);
    buffer_add(out, "\"", 1);
}

static bool has_name(const struct text_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    return false;
}

void text_add_labels(struct buffer *out, const struct text_pair *pairs, size_t pair_count, size_t reserved_count,
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

static void add_name(struct text_writer *writer)
{
    buffer_add(writer->out, writer->name.data, writer->name.used_bytes);
}

/* The family's name is in writer->name. */
static void write_header(struct text_writer *writer, const char *type, const char *help)
{
    if (writer->name.error) {
        if (!writer->out->error)
            writer->out->error = writer->name.error;
        return;
    }
    buffer_add(writer->out, "# HELP ", 7);
    add_name(writer);
    buffer_add(writer->out, " ", 1);
    text_add_escaped(writer->out, help, false);
    buffer_add(writer->out, "\n# TYPE ", 8);
    add_name(writer);
    buffer_add(writer->out, " ", 1);
    buffer_add_text(writer->out, type);
    buffer_add(writer->out, "\n", 1);
}

void text_begin_plain_family(struct text_writer *writer, const char *name, const char *type, const char *help)
{
    writer->name.used_bytes = 0;
    buffer_add_text(&writer->name, name);
    write_header(writer, type, help);
}

void text_begin_family(struct text_writer *writer, enum metric metric)
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

void text_begin_sample(struct text_writer *writer, const struct text_pair *pairs, size_t count)
{
    const char *constant = writer->snapshot->constant_labels;

    add_name(writer);
    if (!count && !*constant)
        return;
    buffer_add(writer->out, "{", 1);
    text_add_labels(writer->out, pairs, count, count, constant);
    buffer_add(writer->out, "}", 1);
}

static void end_sample(struct text_writer *writer, const char *number, size_t length)
{
    buffer_add(writer->out, " ", 1);
    buffer_add(writer->out, number, length);
    buffer_add(writer->out, "\n", 1);
}

void text_end_uint64(struct text_writer *writer, uint64_t value)
{
    char number[FORMAT_BYTES];

    end_sample(writer, number, format_uint64(value, number));
}

void text_end_double(struct text_writer *writer, double value)
{
    char number[FORMAT_BYTES];

    end_sample(writer, number, format_double(value, number));
}

/* What is not a function's ----------------------------------------------------------------------------------------- */

static void write_overflows(struct text_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->overflow_count)
        text_begin_family(writer, METRIC_LABEL_OVERFLOWS);
    for (size_t i = 0; i < snapshot->overflow_count; i++) {
        const struct snapshot_overflow *overflow = &snapshot->overflows[i];
        const struct text_pair pairs[] = {{"function", overflow->function}, {"label", overflow->label}};

        text_begin_sample(writer, pairs, 2);
        text_end_uint64(writer, overflow->count);
    }
}

static void write_resources(struct text_writer *writer, enum metric metric, size_t offset)
{
    const struct snapshot *snapshot = writer->snapshot;
    bool is_begun = false;

    for (size_t i = 0; i < snapshot->resource_count; i++) {
        const struct snapshot_resource *resource = &snapshot->resources[i];
        const struct snapshot_gauge *gauge = (const void *)((const char *)resource + offset);
        const struct text_pair pair = {"resource", resource->name};

        if (!gauge->is_shown)
            continue;
        if (!is_begun)
            text_begin_family(writer, metric);
        is_begun = true;
        text_begin_sample(writer, &pair, 1);
        text_end_double(writer, gauge->value);
    }
}

static void write_signals(struct text_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->signal_count)
        text_begin_family(writer, METRIC_FATAL_SIGNALS);
    for (size_t i = 0; i < snapshot->signal_count; i++) {
        const struct text_pair pair = {"signal", snapshot->signals[i].name};

        text_begin_sample(writer, &pair, 1);
        text_end_uint64(writer, snapshot->signals[i].count);
    }
}

/* There is a row for those in no function wherever there are signals. */
static void write_panics(struct text_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->panics_count)
        text_begin_family(writer, METRIC_PANICS);
    for (size_t i = 0; i < snapshot->panics_count; i++) {
        const struct snapshot_panics *panics = &snapshot->panics[i];

        for (size_t j = 0; panics->is_shown && j < snapshot->signal_count; j++) {
            const struct text_pair pairs[] = {
                {"function", panics->function}, {"module", panics->module}, {"signal", snapshot->signals[j].name}};

            text_begin_sample(writer, pairs, 3);
            text_end_uint64(writer, panics->counts[snapshot->signals[j].position]);
        }
    }
}

static void write_recovered(struct text_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;
    bool is_begun = false;

    for (size_t i = 0; i < snapshot->panics_count; i++) {
        const struct snapshot_panics *panics = &snapshot->panics[i];
        const struct text_pair pairs[] = {{"function", panics->function}, {"module", panics->module}};

        if (!panics->has_recover)
            continue;
        if (!is_begun)
            text_begin_family(writer, METRIC_PANICS_RECOVERED);
        is_begun = true;
        text_begin_sample(writer, pairs, 2);
        text_end_uint64(writer, panics->recovered);
    }
}

static void write_state_errors(struct text_writer *writer)
{
    text_begin_family(writer, METRIC_STATE_ERRORS);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++) {
        const struct text_pair pair = {"reason", snapshot_state_error_name((enum segment_state_error)i)};

        text_begin_sample(writer, &pair, 1);
        text_end_uint64(writer, writer->snapshot->state_errors[i]);
    }
}

static void write_functions(struct text_writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    text_begin_family(writer, METRIC_MANIFEST_FUNCTIONS);
    for (int state = 0; state < SEGMENT_FUNCTION_STATES; state++) {
        const struct text_pair pair = {"state", snapshot_state_name((enum segment_function_state)state)};

        text_begin_sample(writer, &pair, 1);
        text_end_uint64(writer, snapshot->states[state]);
    }
    if (snapshot->function_count)
        text_begin_family(writer, METRIC_FUNCTION_INFO);
    for (size_t i = 0; i < snapshot->function_count; i++) {
        const struct snapshot_function *function = &snapshot->functions[i];
        const struct text_pair pairs[] = {{"function", function->name},
                                          {"module", function->module},
                                          {"symbol", function->symbol},
                                          {"mode", snapshot_state_name(function->state)},
                                          {"reason", function->reason}};

        text_begin_sample(writer, pairs, 5);
        text_end_uint64(writer, 1);
    }
}

static void write_gauge(struct text_writer *writer, enum metric metric, double value)
{
    text_begin_family(writer, metric);
    text_begin_sample(writer, NULL, 0);
    text_end_double(writer, value);
}

static void write_endpoint(struct text_writer *writer, const struct text_endpoint *endpoint)
{
    const struct text_pair build[] = {{"version", endpoint->version}, {"revision", endpoint->revision}};

    text_begin_family(writer, METRIC_BUILD_INFO);
    text_begin_sample(writer, build, 2);
    text_end_uint64(writer, 1);
    if (endpoint->scrapes_count)
        text_begin_family(writer, METRIC_SCRAPES);
    for (size_t i = 0; i < endpoint->scrapes_count; i++) {
        char code[FORMAT_BYTES];
        const struct text_pair pair = {"code", code};

        format_uint64(endpoint->scrapes[i].code, code);
        text_begin_sample(writer, &pair, 1);
        text_end_uint64(writer, endpoint->scrapes[i].count);
    }
    write_gauge(writer, METRIC_SCRAPE_DURATION, endpoint->scrape_seconds);
}

static void write_process(struct text_writer *writer, const struct process_stats *stats)
{
    for (int i = 0; i < PROCESS_METRICS; i++) {
        const struct process_metric_text *text = &process_metric_texts[i];

        if (!stats->metrics[i].is_known)
            continue;
        text_begin_plain_family(writer, text->name, text->type, text->help);
        add_name(writer);
        text_end_double(writer, stats->metrics[i].value);
    }
}

void text_render(const struct snapshot *snapshot, const struct text_endpoint *endpoint, struct buffer *buffer)
{
    struct text_writer writer = {.out = buffer, .snapshot = snapshot};

    if (text_write_series(&writer)) {
        write_overflows(&writer);
        write_resources(&writer, METRIC_RESOURCE_IN_USE, offsetof(struct snapshot_resource, in_use));
        write_resources(&writer, METRIC_RESOURCE_LIMIT, offsetof(struct snapshot_resource, limit));
        write_signals(&writer);
        write_panics(&writer);
        write_recovered(&writer);
        write_functions(&writer);
        if (snapshot->overhead_ratio.is_shown)
            write_gauge(&writer, METRIC_OVERHEAD_RATIO, snapshot->overhead_ratio.value);
        if (snapshot->processes.is_shown)
            write_gauge(&writer, METRIC_PROCESSES, snapshot->processes.value);
        write_state_errors(&writer);
        write_endpoint(&writer, endpoint);
        if (endpoint->process)
            write_process(&writer, endpoint->process);
    } else if (!buffer->error) {
        buffer->error = -ENOMEM;
    }
    buffer_finish(&writer.name);
}
