#include "preload/records/own_work.h"

#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/own_mask.h"
#include "preload/records/counters.h"

void own_work_begin(struct own_work *ret_work)
{
    const int *error = counters_errno_place();

    ret_work->saved_errno = error ? *error : 0;
    ret_work->is_masked = !forbidden_is(SYS_rt_sigprocmask);
    if (ret_work->is_masked)
        own_mask_block(&ret_work->mask);
    ret_work->lane = lane_enter();
}

void own_work_end(const struct own_work *work)
{
    int *error = counters_errno_place();

    lane_leave(work->lane);
    if (work->is_masked)
        own_mask_restore(&work->mask);
    if (error)
        *error = work->saved_errno;
}
