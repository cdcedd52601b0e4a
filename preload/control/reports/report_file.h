/* The folder of reports: files that others see whole or not at all, and not too many of them. Context of all, but where
 * it says otherwise: signal. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_FILE_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPORT_NAME_BYTES = 80,
};

/* "panic-20260102T030405.678Z-PID-TID.json": names in order of time. true for a name of that form, and no other. */
bool report_file_is_name(const char *name);

/* Makes the folder if it is missing and its parent is there (0700), and checks that nobody but its owner (this user, or
 * root) can write there, or that it is sticky. -errno; -EPERM: it can be written by others, or is someone else's.
 * Context: startup. */
int report_file_prepare(const char *folder);

/* Writes a new file, 0600, under `name`. On failure -errno and nothing is left behind; -EPERM as above. */
int report_file_write(const char *folder, const char *name, const void *data, size_t bytes);

/* Removes the oldest reports of this user until no more than `max` are left, `keep` among them. Gives up at the
 * deadline (CLOCK_MONOTONIC). */
void report_file_prune(const char *folder, const char *keep, unsigned max, uint64_t deadline_ns);

#endif
