/* The Prometheus text exposition format: all families but those of functions, which are in series.c. */
#include "server/formats/text.h"

#include <errno.h>
#include <string.h>

#include "server/common/numbers.h"
#include "server/common/process.h"
#include "server/formats/series.h"
#include "server/formats/writer.h"
#include "server/snapshot/snapshot.h"

/* What is not a function's ----------------------------------------------------------------------------------------- */

static void write_overflows(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->overflow_count)
        writer_begin_family(writer, METRIC_LABEL_OVERFLOWS);
    for (size_t i = 0; i < snapshot->overflow_count; i++) {
        const struct snapshot_overflow *overflow = &snapshot->overflows[i];
        const struct writer_pair pairs[] = {{"function", overflow->function}, {"label", overflow->label}};

        writer_begin_sample(writer, pairs, 2);
        writer_end_uint64(writer, overflow->count);
    }
}

static void write_resources(struct writer *writer, enum metric metric, size_t offset)
{
    const struct snapshot *snapshot = writer->snapshot;
    bool is_begun = false;

    for (size_t i = 0; i < snapshot->resource_count; i++) {
        const struct snapshot_resource *resource = &snapshot->resources[i];
        const struct snapshot_gauge *gauge = (const void *)((const char *)resource + offset);
        const struct writer_pair pair = {"resource", resource->name};

        if (!gauge->is_shown)
            continue;
        if (!is_begun)
            writer_begin_family(writer, metric);
        is_begun = true;
        writer_begin_sample(writer, &pair, 1);
        writer_end_double(writer, gauge->value);
    }
}

static void write_signals(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->signal_count)
        writer_begin_family(writer, METRIC_FATAL_SIGNALS);
    for (size_t i = 0; i < snapshot->signal_count; i++) {
        const struct writer_pair pair = {"signal", snapshot->signals[i].name};

        writer_begin_sample(writer, &pair, 1);
        writer_end_uint64(writer, snapshot->signals[i].count);
    }
}

/* There is a row for those in no function wherever there are signals. */
static void write_panics(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    if (snapshot->panics_count)
        writer_begin_family(writer, METRIC_PANICS);
    for (size_t i = 0; i < snapshot->panics_count; i++) {
        const struct snapshot_panics *panics = &snapshot->panics[i];

        for (size_t j = 0; panics->is_shown && j < snapshot->signal_count; j++) {
            const struct writer_pair pairs[] = {
                {"function", panics->function}, {"module", panics->module}, {"signal", snapshot->signals[j].name}};

            writer_begin_sample(writer, pairs, 3);
            writer_end_uint64(writer, panics->counts[snapshot->signals[j].position]);
        }
    }
}

static void write_recovered(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;
    bool is_begun = false;

    for (size_t i = 0; i < snapshot->panics_count; i++) {
        const struct snapshot_panics *panics = &snapshot->panics[i];
        const struct writer_pair pairs[] = {{"function", panics->function}, {"module", panics->module}};

        if (!panics->has_recover)
            continue;
        if (!is_begun)
            writer_begin_family(writer, METRIC_PANICS_RECOVERED);
        is_begun = true;
        writer_begin_sample(writer, pairs, 2);
        writer_end_uint64(writer, panics->recovered);
    }
}

static void write_state_errors(struct writer *writer)
{
    writer_begin_family(writer, METRIC_STATE_ERRORS);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++) {
        const struct writer_pair pair = {"reason", snapshot_state_error_name((enum segment_state_error)i)};

        writer_begin_sample(writer, &pair, 1);
        writer_end_uint64(writer, writer->snapshot->state_errors[i]);
    }
}

static void write_functions(struct writer *writer)
{
    const struct snapshot *snapshot = writer->snapshot;

    writer_begin_family(writer, METRIC_MANIFEST_FUNCTIONS);
    for (int state = 0; state < SEGMENT_FUNCTION_STATES; state++) {
        const struct writer_pair pair = {"state", snapshot_state_name((enum segment_function_state)state)};

        writer_begin_sample(writer, &pair, 1);
        writer_end_uint64(writer, snapshot->states[state]);
    }
    if (snapshot->function_count)
        writer_begin_family(writer, METRIC_FUNCTION_INFO);
    for (size_t i = 0; i < snapshot->function_count; i++) {
        const struct snapshot_function *function = &snapshot->functions[i];
        const struct writer_pair pairs[] = {{"function", function->name},
                                            {"module", function->module},
                                            {"symbol", function->symbol},
                                            {"mode", snapshot_state_name(function->state)},
                                            {"reason", function->reason}};

        writer_begin_sample(writer, pairs, 5);
        writer_end_uint64(writer, 1);
    }
}

static void write_gauge(struct writer *writer, enum metric metric, double value)
{
    writer_begin_family(writer, metric);
    writer_begin_sample(writer, NULL, 0);
    writer_end_double(writer, value);
}

static void write_endpoint(struct writer *writer, const struct text_endpoint *endpoint)
{
    const struct writer_pair build[] = {{"version", endpoint->version}, {"revision", endpoint->revision}};

    writer_begin_family(writer, METRIC_BUILD_INFO);
    writer_begin_sample(writer, build, 2);
    writer_end_uint64(writer, 1);
    if (endpoint->scrapes_count)
        writer_begin_family(writer, METRIC_SCRAPES);
    for (size_t i = 0; i < endpoint->scrapes_count; i++) {
        char code[NUMBERS_BYTES];
        const struct writer_pair pair = {"code", code};

        numbers_format_uint64(endpoint->scrapes[i].code, code);
        writer_begin_sample(writer, &pair, 1);
        writer_end_uint64(writer, endpoint->scrapes[i].count);
    }
    write_gauge(writer, METRIC_SCRAPE_DURATION, endpoint->scrape_seconds);
}

static void write_process(struct writer *writer, const struct process_stats *stats)
{
    for (int i = 0; i < PROCESS_METRICS; i++) {
        const struct process_metric_text *text = &process_metric_texts[i];

        if (!stats->metrics[i].is_known)
            continue;
        writer_begin_plain_family(writer, text->name, text->type, text->help);
        writer_begin_bare_sample(writer);
        writer_end_double(writer, stats->metrics[i].value);
    }
}

void text_render(const struct snapshot *snapshot, const struct text_endpoint *endpoint, struct buffer *buffer)
{
    struct writer writer = {.out = buffer, .snapshot = snapshot};

    if (series_write(&writer)) {
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
