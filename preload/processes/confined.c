#include "preload/processes/confined.h"

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/machine/filter.h"
#include "preload/machine/forbidden.h"
#include "preload/processes/companion.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

#define PUBLIC __attribute__((visibility("default")))

typedef long (*syscall_function)(long, ...);

long confined_seccomp(long number, unsigned long operation, unsigned long flags, void *arguments);

static long first_syscall(long number, ...);

/* For system_call.S. */
syscall_function confined_syscall __attribute__((visibility("hidden"))) = first_syscall;

static int (*real_prctl)(int, ...);

/* What is forbidden if the filter comes to be. */
struct before {
    uint64_t forbidden[FORBIDDEN_CALLS / 64];
    bool is_released;
};

void confined_resolve(void)
{
    *(void **)&real_prctl = dlsym(RTLD_NEXT, "prctl");
    *(void **)&confined_syscall = dlsym(RTLD_NEXT, "syscall");
}

static bool is_killed_for(uint32_t answer)
{
    uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != SECCOMP_RET_ERRNO;
}

static void forbid(unsigned number)
{
    __atomic_fetch_or(&forbidden_calls[number / 64], UINT64_C(1) << number % 64, __ATOMIC_RELAXED);
}

/* `program`: NULL in the strict mode of old, which has four system calls. */
static void learn(const struct sock_fprog *program)
{
    unsigned length = program ? filter_length(program) : 0;

    for (unsigned number = 0; number < FORBIDDEN_CALLS; number++) {
        if (program ? length > 0 && is_killed_for(filter_run(program->filter, length, number))
                    : number != SYS_read && number != SYS_write && number != SYS_exit && number != SYS_rt_sigreturn)
            forbid(number);
    }
}

/* A child of vfork confines itself for what it is about to exec; what it would write here is its parent's. */
static void begin(const struct sock_fprog *program, struct before *ret_before)
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

static void end(const struct before *before, bool is_done)
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

/* From a constructor that ran before ours. */
static long first_syscall(long number, ...)
{
    long arguments[6];
    va_list rest;

    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(rest, long);
    va_end(rest);
    confined_resolve();
    return confined_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/* A filter for all threads is also for ours, which therefore ends first. Others are for the calling thread alone, and
 * for what comes from it. */
__attribute__((visibility("hidden"))) long confined_seccomp(long number, unsigned long operation, unsigned long flags,
                                                            void *arguments)
{
    bool is_filter = operation == SECCOMP_SET_MODE_FILTER || operation == SECCOMP_SET_MODE_STRICT;
    bool is_stopped;
    struct before before;
    long result;

    if (!is_filter || lane_is_borrowed())
        return confined_syscall(number, operation, flags, arguments);
    is_stopped = (flags & SECCOMP_FILTER_FLAG_TSYNC) && companion_stop();
    begin(operation == SECCOMP_SET_MODE_FILTER ? arguments : NULL, &before);
    result = confined_syscall(number, operation, flags, arguments);
    end(&before, result >= 0);
    if (is_stopped && result < 0)
        companion_start();
    return result;
}

/* Of the calling thread alone. */
static bool is_credential(int option)
{
    return option == PR_SET_KEEPCAPS || option == PR_SET_SECUREBITS || option == PR_CAPBSET_DROP ||
           option == PR_CAP_AMBIENT;
}

PUBLIC int prctl(int option, ...)
{
    unsigned long arguments[4];
    struct before before;
    bool is_stopped;
    va_list rest;
    int result;

    va_start(rest, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (!real_prctl)
        confined_resolve();
    if (option == PR_SET_SYSCALL_USER_DISPATCH && arguments[0] == PR_SYS_DISPATCH_ON && !lane_is_borrowed())
        signals_release(); /* system calls come to the program as SIGSYS, those that a handler of ours makes as well */
    if (option != PR_SET_SECCOMP || lane_is_borrowed()) {
        is_stopped = is_credential(option) && companion_credentials_begin();
        result = real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
        companion_credentials_end(is_stopped);
        return result;
    }
    begin(arguments[0] == SECCOMP_MODE_FILTER ? (const struct sock_fprog *)arguments[1] : NULL, &before);
    result = real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
    end(&before, result == 0);
    return result;
}
