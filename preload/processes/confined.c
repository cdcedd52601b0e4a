#include "preload/processes/confined.h"

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "preload/machine/filter.h"
#include "preload/machine/forbidden.h"
#include "preload/processes/companion.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

/* A filter that is in place kills for rt_sigprocmask: nothing of ours runs under it, not even here. */
static atomic_bool is_mask_forbidden;

bool confined_forbids_mask(void)
{
    return atomic_load(&is_mask_forbidden);
}

static bool is_killed_for(uint32_t answer)
{
    uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_ERRNO;
}

static bool has(const struct confined_filter *filter, unsigned number)
{
    return filter->forbidden[number / 64] >> number % 64 & 1;
}

static void learn(const struct sock_fprog *program, struct confined_filter *filter)
{
    unsigned length = program ? filter_length(program) : 0;

    for (unsigned number = 0; number < FORBIDDEN_CALLS; number++)
        if (program ? length > 0 && is_killed_for(filter_run(program->filter, length, number))
                    : number != SYS_read && number != SYS_write && number != SYS_exit && number != SYS_rt_sigreturn)
            filter->forbidden[number / 64] |= UINT64_C(1) << number % 64;
}

static void assume_all(struct confined_filter *filter)
{
    for (size_t i = 0; i < FORBIDDEN_CALLS / 64; i++)
        filter->forbidden[i] = UINT64_MAX;
}

static void forbid(const struct confined_filter *filter, uint32_t change)
{
    for (unsigned number = 0; number < FORBIDDEN_CALLS; number++)
        if (has(filter, number))
            __atomic_fetch_add(&forbidden_by[number], change, __ATOMIC_RELAXED);
}

void confined_begin(const struct sock_fprog *program, struct confined_filter *ret_filter)
{
    bool is_quiet = confined_forbids_mask();

    *ret_filter = (struct confined_filter){.is_released = false};
    if (is_quiet) {
        assume_all(ret_filter);
    } else {
        lane_prepare();
        learn(program, ret_filter);
    }
    forbid(ret_filter, 1);
    if (is_quiet || forbidden_would_let_handle(ret_filter->forbidden))
        return;
    signals_release();
    ret_filter->is_released = true;
}

/* Where the filter is in place, no system call may be made here. */
void confined_end(const struct confined_filter *filter, bool is_in_place)
{
    if (is_in_place) {
        forbidden_set_confined();
        if (has(filter, SYS_rt_sigprocmask))
            atomic_store(&is_mask_forbidden, true);
        return;
    }
    forbid(filter, UINT32_MAX);
    if (filter->is_released)
        signals_reclaim();
}
