/* What a segment's counters mean, as one number: a state file with another one is of no use. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_LAYOUT_HASH_H
#define CALLMETER_PRELOAD_CONTROL_STATE_LAYOUT_HASH_H

#include <stdint.h>

#include "server/segment/segment.h"

/* Hash of functions, series, labels, bounds, and where each counter lies. Never 0. The tables are trusted. Context:
 * startup, once the tables are complete. */
uint64_t layout_hash(const struct segment_header *segment);

#endif
