#include "preload/processes/confined.h"

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/filter.h"
#include "preload/machine/forbidden.h"
#include "preload/machine/log.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/companion.h"
#include "preload/records/own_work.h"
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

/* Whether a thread of ours may be -------------------------------------------------------------------------------- */

struct question {
    const struct sock_fprog *program;
    unsigned length;
    struct filter_state *states;
};

static unsigned ways_of(unsigned number, void *context)
{
    const struct question *question = context;

    return filter_ways(question->program->filter, question->length, number, question->states);
}

static bool would_let_serve(const struct sock_fprog *program)
{
    struct question question = {program, program ? filter_length(program) : 0, NULL};
    size_t bytes = question.length * sizeof(struct filter_state);
    long room;
    bool result;

    if (question.length == 0)
        return false;
    room = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room < 0 && room > -4096)
        return false;
    question.states = (struct filter_state *)room;
    result = forbidden_would_let_serve(ways_of, &question);
    cpu_syscall(SYS_munmap, room, (long)bytes, 0, 0, 0, 0);
    return result;
}

/* Before the filter is there, for it may kill for that as well. */
static void tell(void)
{
    static atomic_bool is_told;
    struct own_work work;

    if (!companion_is_wanted() || !forbidden_lets_serve() || atomic_exchange(&is_told, true))
        return;
    own_work_begin(&work);
    log_line(LOG_LEVEL_WARN, "the program puts a filter of system calls on itself which may kill for what the "
                             "endpoint's thread does: there is none in this process from here on");
    own_work_end(&work);
}

void confined_begin(const struct sock_fprog *program, struct confined_filter *ret_filter)
{
    bool is_quiet = confined_forbids_mask();

    *ret_filter = (struct confined_filter){.ends_serving = true};
    if (is_quiet) {
        assume_all(ret_filter);
    } else {
        lane_prepare();
        learn(program, ret_filter);
        ret_filter->ends_serving = !would_let_serve(program);
    }
    if (ret_filter->ends_serving && !is_quiet && (!program || filter_length(program) > 0))
        tell();
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
        if (filter->ends_serving)
            forbidden_end_serving();
        if (has(filter, SYS_rt_sigprocmask))
            atomic_store(&is_mask_forbidden, true);
        return;
    }
    forbid(filter, UINT32_MAX);
    if (filter->is_released)
        signals_reclaim();
}
