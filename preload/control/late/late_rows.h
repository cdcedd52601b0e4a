/* The rows and series of functions that come later. Part of late; the segment's tables are locked (rows.h), but for
 * late_rows_init. Context: in a call of dlopen. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_LATE_ROWS_H
#define CALLMETER_PRELOAD_CONTROL_LATE_LATE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/control/late/library.h"

struct track;

/* For those that there is room for without asking (late_reserve). */
enum {
    LATE_ROW_TEXT_BYTES = 2048
};

/* True if a function that is tracked now has the row. */
typedef bool (*late_is_live)(uint32_t row);

/* The config stays. -ENOMEM. Context: startup. */
int late_rows_init(const struct late_config *config);

/* Gives each target that was found its row, layout, cells and tables: those that it had before, the ones that its entry
 * has had from the start, or new ones. Refuses those that there is no room for. track->build is there, empty. */
void late_rows_assign(struct track *track);

/* Says in the rows what became of the targets, and shows the series of those that are tracked. */
void late_rows_write(struct track *track, late_is_live is_live);

/* The function's library is gone. */
void late_rows_retire(uint32_t row);

#endif
