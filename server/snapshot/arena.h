/* Memory that lives as long as a snapshot. Private to the snapshot: for the parts that make one. */
#ifndef CALLMETER_SERVER_SNAPSHOT_ARENA_H
#define CALLMETER_SERVER_SNAPSHOT_ARENA_H

#include <stddef.h>

struct snapshot;

/* Zeroed pages, which snapshot_finish gives back; NULL: there are none. Context: server thread. */
void *arena_alloc(struct snapshot *snapshot, size_t bytes);

#endif
