/* The metrics that callmeter exposes: names, types and help texts, for every exposition format. */
#ifndef CALLMETER_SERVER_FORMATS_METRICS_H
#define CALLMETER_SERVER_FORMATS_METRICS_H

/* In the order of the exposition. */
enum metric {
    METRIC_CALLS,
    METRIC_CALL_ERRORS,
    METRIC_CALLS_ABANDONED,
    METRIC_CALL_DURATION,
    METRIC_CALLS_ACTIVE,
    METRIC_ITEMS,
    METRIC_LOOP_INTERVAL,
    METRIC_LAST_CALL,
    METRIC_LAST_SUCCESS,
    METRIC_HEALTH_CHECK_UP,
    METRIC_SAMPLE_INTERVAL,
    METRIC_LABEL_OVERFLOWS,
    METRIC_RESOURCE_IN_USE,
    METRIC_RESOURCE_LIMIT,
    METRIC_FATAL_SIGNALS,
    METRIC_PANICS,
    METRIC_PANICS_RECOVERED,
    METRIC_MANIFEST_FUNCTIONS,
    METRIC_FUNCTION_INFO,
    METRIC_OVERHEAD_RATIO,
    METRIC_PROCESSES,
    METRIC_STATE_ERRORS,
    METRIC_BUILD_INFO,
    METRIC_SCRAPES,
    METRIC_SCRAPE_DURATION,
    METRICS,
};

struct metric_text {
    const char *name; /* without the namespace */
    const char *type; /* "counter", "gauge" or "histogram" */
    const char *help;
};

/* By enum metric. The process's own are in server/common/process.h. */
extern const struct metric_text metric_texts[METRICS];

#endif
