#include "preload/control/segment/sample_interval.h"

#include <math.h>

void sample_interval_set(struct segment_sampling *sampling, double interval)
{
    const double one = 4294967296.0;
    uint64_t scale = 0;

    if (interval > 1)
        scale = (uint64_t)(one / -log2(1 - 1 / interval));
    __atomic_store_n(&sampling->scale, scale, __ATOMIC_RELAXED);
    __atomic_store_n(&sampling->interval, (uint64_t)(interval * one), __ATOMIC_RELAXED);
}
