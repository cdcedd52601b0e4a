/* The series of a snapshot while it is made: one draft for each place of each of the segment's series.
 *
 * Private to the snapshot. */
#ifndef CALLMETER_SERVER_SNAPSHOT_DRAFTS_H
#define CALLMETER_SERVER_SNAPSHOT_DRAFTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/common/keyset.h"

struct cell;
struct cells;
struct snapshot;
struct snapshot_clock;
struct view;
struct view_series;

/* Of the first place with its labels, the draft of a series; of the others, who is the first. */
struct draft {
    const struct view_series *origin;
    const struct cell *cell;
    uint32_t first;    /* index of the first with equal labels */
    uint32_t previous; /* index and one of the one before with equal labels, or 0 */
    bool is_repeated;  /* another with equal labels has the same cell: nothing is to be counted twice */
    /* The following of the first only. */
    uint32_t last; /* index of the latest with equal labels */
    bool is_shown;
    bool is_active_hidden;
    uint64_t series; /* index in the snapshot's */
    uint64_t started;
    uint64_t finished;
    uint64_t last_start; /* ticks, as segment_series has them */
    uint64_t last_success;
    uint64_t last_finish;
};

struct drafts {
    const struct view *view;
    struct cells *cells;
    struct snapshot *snapshot;
    struct draft *items;
    size_t count;
    struct keyset set;
    char *text;        /* room for the labels of the next place */
    uint64_t *buckets; /* room for those of the next histogram */
    size_t items_bytes;
};

/* Makes the snapshot's series of those of the segment. -ENOMEM. The caller owns *ret_drafts (drafts_finish), also
 * where this fails. Context of all here: server thread. */
int drafts_make(const struct view *view, const struct view_series *origins, size_t origin_count, struct cells *cells,
                const struct snapshot_clock *clock, struct snapshot *snapshot, struct drafts *ret_drafts);

void drafts_finish(struct drafts *drafts);

/* Calls that ended: all outcomes, those that were not looked at included. */
uint64_t drafts_count_finished(const struct view_series *origin, const struct cell *cell);

#endif
