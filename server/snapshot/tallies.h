/* What a snapshot counts beside its series: errors by type, and observations folded into `_other`.
 *
 * Private to the snapshot. */
#ifndef CALLMETER_SERVER_SNAPSHOT_TALLIES_H
#define CALLMETER_SERVER_SNAPSHOT_TALLIES_H

#include <stddef.h>

struct cells;
struct drafts;
struct snapshot;
struct view;
struct view_series;

/* Fills in snapshot->errors. -ENOMEM. Context of all here: server thread. */
int tallies_read_errors(const struct drafts *drafts, struct snapshot *snapshot);

/* Fills in snapshot->overflows. -ENOMEM. */
int tallies_read_overflows(const struct view *view, const struct view_series *series, size_t series_count,
                           struct cells *cells, struct snapshot *snapshot);

#endif
