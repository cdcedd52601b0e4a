/* Work of callmeter's own on one of the program's threads. */
#ifndef CALLMETER_PRELOAD_RECORDS_OWN_WORK_H
#define CALLMETER_PRELOAD_RECORDS_OWN_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/records/lane.h"

/* What own_work_begin found. */
struct own_work {
    struct lane *lane;
    uint64_t mask;
    bool is_masked; /* signals are blocked */
    int saved_errno;
};

/* What is between the two is not counted, not interrupted by a signal, and leaves no trace in errno. A handler that
 * came in between would find itself on callmeter's lane, and its calls would be lost: so signals are blocked before the
 * lane is entered, and let in when it was left. Where a filter of the program's kills for rt_sigprocmask(2), they are
 * let in all the time. May be nested. Context: hot, any. */
void own_work_begin(struct own_work *ret_work);
void own_work_end(const struct own_work *work);

#endif
