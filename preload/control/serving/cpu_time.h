/* CPU time of all processes that count in the segment: this one, and those that own a block. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_CPU_TIME_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_CPU_TIME_H

#include <stdint.h>
#include <time.h>

struct segment_header;

/* -ENOMEM. The segment must live on. Context: startup, once. */
int cpu_time_init(const struct segment_header *segment);

/* Seconds since the call before (or cpu_time_init), without the calling thread's own. A child that came and went in
 * between is part of it if its parent, this process, has waited for it. Context: server thread. */
double cpu_time_spent(uint32_t block_count);

/* In another process than before: what it has spent until now is not its own. Context: server thread. */
void cpu_time_begin_again(void);

/* What a clock says, in seconds; below 0: there is no such clock. */
double cpu_time_on(clockid_t clock);

#endif
