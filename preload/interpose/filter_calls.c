/* The functions of libc by which the program puts filters of system calls on itself, and changes other settings of its
 * threads, which the preload object stands in for. syscall(2) itself is in assembly (x86_64/system_call.S). */
#include <dlfcn.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "preload/interpose/interpose.h"
#include "preload/processes/companion.h"
#include "preload/processes/confined.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

typedef long (*syscall_function)(long, ...);

long filter_calls_seccomp(long number, unsigned long operation, unsigned long flags, void *arguments);

static long first_syscall(long number, ...);

/* For system_call.S. */
syscall_function filter_calls_syscall __attribute__((visibility("hidden"))) = first_syscall;

static int (*real_prctl)(int, ...);

void filter_calls_resolve(void)
{
    *(void **)&real_prctl = dlsym(RTLD_NEXT, "prctl");
    *(void **)&filter_calls_syscall = dlsym(RTLD_NEXT, "syscall");
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
    filter_calls_resolve();
    return filter_calls_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                                arguments[5]);
}

/* A filter for all threads is also for ours, which therefore ends first. Others are for the calling thread alone, and
 * for what comes from it. */
__attribute__((visibility("hidden"))) long filter_calls_seccomp(long number, unsigned long operation,
                                                                unsigned long flags, void *arguments)
{
    bool is_filter = operation == SECCOMP_SET_MODE_FILTER || operation == SECCOMP_SET_MODE_STRICT;
    struct confined_filter filter;
    long result;

    if (!is_filter || lane_is_borrowed())
        return filter_calls_syscall(number, operation, flags, arguments);
    if (flags & SECCOMP_FILTER_FLAG_TSYNC)
        companion_step_aside(true);
    confined_begin(operation == SECCOMP_SET_MODE_FILTER ? arguments : NULL, &filter);
    result = filter_calls_syscall(number, operation, flags, arguments);
    confined_end(&filter, result >= 0);
    companion_settle();
    return result;
}

/* Of the calling thread alone. */
static bool is_credential(int option)
{
    return option == PR_SET_KEEPCAPS || option == PR_SET_SECUREBITS || option == PR_CAPBSET_DROP ||
           option == PR_CAP_AMBIENT;
}

static bool is_dispatch(int option, const unsigned long *arguments)
{
    return option == PR_SET_SYSCALL_USER_DISPATCH && arguments[0] == PR_SYS_DISPATCH_ON;
}

static int change_filter(const unsigned long *arguments)
{
    struct confined_filter filter;
    int result;

    confined_begin(arguments[0] == SECCOMP_MODE_FILTER ? (const struct sock_fprog *)arguments[1] : NULL, &filter);
    result = real_prctl(PR_SET_SECCOMP, arguments[0], arguments[1], arguments[2], arguments[3]);
    confined_end(&filter, result == 0);
    return result;
}

/* System calls come to the program as SIGSYS, those that a handler of ours makes as well. */
static int change_dispatch(const unsigned long *arguments)
{
    int result;

    signals_release();
    result = real_prctl(PR_SET_SYSCALL_USER_DISPATCH, arguments[0], arguments[1], arguments[2], arguments[3]);
    if (result != 0)
        signals_reclaim();
    return result;
}

static int change_credential(int option, const unsigned long *arguments)
{
    int result;

    companion_step_aside(false);
    result = real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
    companion_settle();
    return result;
}

INTERPOSE(int, prctl)(int option, ...)
{
    unsigned long arguments[4];
    va_list rest;

    va_start(rest, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (!real_prctl)
        filter_calls_resolve();
    if (is_credential(option))
        return change_credential(option, arguments);
    if (option == PR_SET_SECCOMP && !lane_is_borrowed())
        return change_filter(arguments);
    if (is_dispatch(option, arguments) && !lane_is_borrowed() && !confined_forbids_mask())
        return change_dispatch(arguments);
    return real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}
