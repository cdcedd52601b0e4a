/* Can counting have led to the numbers of the last run? Each that is read is held against a bound, and against the
 * others that count the same calls: one that was damaged must not be shown as a count. Private to
 * preload/control/state. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_OLD_JUDGE_H
#define CALLMETER_PRELOAD_CONTROL_STATE_OLD_JUDGE_H

#include <stdint.h>

#include "preload/control/state/old_counters.h"
#include "preload/control/state/old_file.h"

/* Panics by row and signal, and those that became returns by row; NULL: the segment has no such tables. */
struct old_panics {
    uint64_t *counts;
    uint64_t *recovered;
};

/* 0, or -EINVAL with the file's error set. Calls that were in progress are settled: they count as abandoned by the
 * death of their process. Context of both: startup. */
int old_judge_counters(struct old_counters *counters, struct old_file *file);

/* The same for what the header counts, and the tables of panics. */
int old_judge_panics(const struct old_panics *panics, struct old_file *file);

#endif
