/* What a snapshot says of fatal signals: how many, in which functions, and how many were turned into returns.
 *
 * Private to the snapshot. */
#ifndef CALLMETER_SERVER_SNAPSHOT_FAULTS_H
#define CALLMETER_SERVER_SNAPSHOT_FAULTS_H

#include <stddef.h>

struct snapshot;
struct view;
struct view_series;

/* Fills in snapshot->signals and ->panics. A function that the manifest names is there before its first panic, since a
 * counter that appears with its first event hides it from increase(); one of a glob's many is not. -ENOMEM. Context:
 * server thread. */
int faults_read(const struct view *view, const struct view_series *series, size_t series_count,
                struct snapshot *snapshot);

#endif
