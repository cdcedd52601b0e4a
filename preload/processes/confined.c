#include "preload/processes/confined.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "preload/machine/filter.h"
#include "preload/machine/forbidden.h"
#include "preload/processes/companion.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

static bool is_killed_for(uint32_t answer)
{
    uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_ERRNO;
}

static void forbid(unsigned number)
{
    __atomic_fetch_or(&forbidden_calls[number / 64], UINT64_C(1) << number % 64, __ATOMIC_RELAXED);
}

static void learn(const struct sock_fprog *program)
{
    unsigned length = program ? filter_length(program) : 0;

    for (unsigned number = 0; number < FORBIDDEN_CALLS; number++) {
        if (program ? length > 0 && is_killed_for(filter_run(program->filter, length, number))
                    : number != SYS_read && number != SYS_write && number != SYS_exit && number != SYS_rt_sigreturn)
            forbid(number);
    }
}

void confined_begin(const struct sock_fprog *program, struct confined_before *ret_before)
{
    lane_prepare();
    ret_before->is_released = false;
    for (size_t i = 0; i < FORBIDDEN_CALLS / 64; i++)
        ret_before->forbidden[i] = forbidden_calls[i];
    learn(program);
    if (!forbidden_lets_handle()) {
        signals_release();
        ret_before->is_released = true;
    }
}

void confined_end(const struct confined_before *before, bool is_done)
{
    if (is_done) {
        forbidden_set_confined();
        return;
    }
    for (size_t i = 0; i < FORBIDDEN_CALLS / 64; i++)
        __atomic_store_n(&forbidden_calls[i], before->forbidden[i], __ATOMIC_RELAXED);
    if (before->is_released)
        signals_reclaim();
}
