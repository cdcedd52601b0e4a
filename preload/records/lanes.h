/* The table of lanes, which records/lane.c keeps, for threads/attach.c alone, which gives lanes to threads. */
#ifndef CALLMETER_PRELOAD_RECORDS_LANES_H
#define CALLMETER_PRELOAD_RECORDS_LANES_H

#include "preload/records/lane.h"

extern struct lane *lanes __attribute__((visibility("hidden"))); /* NULL: there are none yet */
extern _Atomic uint32_t lanes_used __attribute__((visibility("hidden")));

/* The table comes into use, last of what is made: threads that are there already may exec, fork or exit. Context:
 * startup, once. */
void lanes_publish(struct lane *table, const struct lane_config *config);

#endif
