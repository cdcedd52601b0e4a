/* What is written down of a panic: one JSON file, and the line on standard error. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_H

#include <stddef.h>

struct lane;
struct panic_event;
struct segment_header;

enum {
    REPORT_VERSION = 1,
};

/* All of it stays valid for ever. */
struct report_config {
    const struct segment_header *segment;
    const struct lane *(*lane_at)(size_t index); /* lane.h */
    const char *program;                         /* path of the executable, as it was started */
    const char *folder;                          /* or NULL: no file */
    unsigned max_reports;
    unsigned backtrace_depth;
};

/* Context: startup. */
void report_init(const struct report_config *config);

/* Writes the file and the line. Context: signal, one thread at a time, on a stack of 128 KiB; may be left by a jump. */
void report_write(const struct panic_event *event);

#endif
