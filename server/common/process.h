/* The standard process_* metrics of Prometheus client libraries, read from /proc/self. */
#ifndef CALLMETER_SERVER_COMMON_PROCESS_H
#define CALLMETER_SERVER_COMMON_PROCESS_H

#include <stdbool.h>

enum process_metric {
    PROCESS_CPU_SECONDS,
    PROCESS_MAX_FDS,
    PROCESS_OPEN_FDS,
    PROCESS_RESIDENT_BYTES,
    PROCESS_START_TIME,
    PROCESS_THREADS,
    PROCESS_VIRTUAL_BYTES,
    PROCESS_VIRTUAL_MAX_BYTES,
    PROCESS_METRICS,
};

/* Zeroed before the first process_read, then kept: the start time is computed once and stays the same. */
struct process_stats {
    struct {
        bool is_known; /* false where /proc is not mounted or may not be read: the metric is then left out */
        double value;
    } metrics[PROCESS_METRICS];
};

struct process_metric_text {
    const char *name; /* whole: these carry no namespace, dashboards know them by these names */
    const char *type;
    const char *help;
};

/* By enum process_metric, sorted by name. */
extern const struct process_metric_text process_metric_texts[PROCESS_METRICS];

/* Reads them anew. Context: server thread; leaves no descriptor open. */
void process_read(struct process_stats *stats);

/* True if the first thread has left, and of the others only one is there: the caller. *ret_status is what the first one
 * gave to exit(2). Context: as process_read. */
bool process_is_over(int *ret_status);

#endif
