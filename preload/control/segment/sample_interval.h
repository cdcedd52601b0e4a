/* How often calls are timed, in the form that calls draw from. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_SAMPLE_INTERVAL_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_SAMPLE_INTERVAL_H

#include "server/segment/segment.h"

/* Sets both words. `interval`: calls per timed call, 1 or more. Context: startup, server thread. */
void sample_interval_set(struct segment_sampling *sampling, double interval);

#endif
