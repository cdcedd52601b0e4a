/* State that survives the process: the segment as a file in the state directory, which the next start goes on from.
 *
 *   state_begin     chooses the file, makes a fresh one        before the segment is made
 *   state_publish   adds what the last run counted,            when its tables are complete
 *                   gives the fresh file the name
 *   state_refresh   keeps the two clocks together              before each snapshot
 *
 * Whatever goes wrong is logged and counted in the segment; the program goes on, its counters in memory. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_STATE_H
#define CALLMETER_PRELOAD_CONTROL_STATE_STATE_H

#include <stdbool.h>

#include "preload/control/segment/clock.h"
#include "preload/control/state/statefile.h"

struct shim;

/* Embedded by the caller. */
struct state {
    const struct shim *shim;
    const struct clock *clock;
    struct statefile file; /* .fresh: what the segment is to be made in; -1: in memory */
    uint64_t errors[SEGMENT_STATE_ERRORS];
};

/* `directory`: NULL for none. The file is named after the executable and, by a hash, its path and the manifests'.
 * Context: startup. */
void state_begin(struct state *state, const struct shim *shim, const struct clock *clock, const char *directory);

/* The fresh file cannot hold the segment (-errno): it will be in memory. */
void state_give_up(struct state *state, int error);

/* Once the segment's tables are complete; its functions may be called already. Context: startup. */
void state_publish(struct state *state, struct segment_header *segment);

/* After state_begin, whatever came of it. */
void state_finish(struct state *state);

/* Notes the present moment by both clocks. Context: server thread. */
void state_refresh(void);

/* Text for the log, once, if the file was damaged while in use; or NULL. Context: server thread. */
const char *state_trouble(void);

#endif
