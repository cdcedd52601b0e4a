/* Sampling: which calls are timed. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_SAMPLING_H
#define CALLMETER_PRELOAD_CALLS_SAMPLING_H

#include "preload/calls/extra.h"

/* How a call goes on: SAMPLE_OUT, SAMPLE_TIMED or SAMPLE_UNTIMED (hot.h), with the hook for it. In two registers. */
struct sampling_decision {
    const struct hook *hook;
    uint64_t how;
};

/* Before any call. Context: startup. */
void sampling_init(void);

/* The stub of a sampled function has counted down to nothing, or never began. Counts the call if it is SAMPLE_OUT. From
 * assembly. */
struct sampling_decision sampling_decide(const struct hook *weighed);

#endif
