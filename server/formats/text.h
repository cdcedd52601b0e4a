/* The Prometheus text exposition format, version 0.0.4.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
#ifndef CALLMETER_SERVER_FORMATS_TEXT_H
#define CALLMETER_SERVER_FORMATS_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct buffer;
struct process_stats;
struct snapshot;

#define TEXT_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Answers that the endpoint gave to scrapes, by HTTP status. */
struct text_scrapes {
    unsigned code;
    uint64_t count;
};

/* What the endpoint says of itself and of its process. */
struct text_endpoint {
    const char *version;
    const char *revision;
    const struct text_scrapes *scrapes; /* distinct codes, in the order to be shown */
    size_t scrapes_count;
    double scrape_seconds;
    const struct process_stats *process; /* or NULL */
};

/* Adds the whole exposition. Constant labels go on all metrics but process_*, which describe the process and not
 * callmeter's view of it. A failure shows as buffer->error. Context: server thread. */
void text_render(const struct snapshot *snapshot, const struct text_endpoint *endpoint, struct buffer *buffer);

#endif
