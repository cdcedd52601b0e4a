/* The functions of libc by which the program puts filters of system calls on itself, and changes other settings of its
 * threads, which the preload object stands in for. syscall(2) comes here too (system_calls.c). */
#include "preload/interpose/filter_calls.h"

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/interpose/interpose.h"
#include "preload/interpose/rights.h"
#include "preload/processes/companion.h"
#include "preload/processes/confined.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

static int (*real_prctl)(int, ...);

void filter_calls_resolve(void)
{
    *(void **)&real_prctl = dlsym(RTLD_NEXT, "prctl");
}

/* Of a filter for all threads ours is one, whatever others there are; of any other one, if the program has one thread.
 * It ends first, so that it never comes under a filter that was not made for it; and is made anew under one that lets
 * it be. */
long filter_calls_seccomp(unsigned long operation, unsigned long flags, void *arguments)
{
    bool is_filter = operation == SECCOMP_SET_MODE_FILTER || operation == SECCOMP_SET_MODE_STRICT;
    struct confined_filter filter;
    long result;

    if (!is_filter || lane_is_borrowed())
        return system_calls_real(SYS_seccomp, operation, flags, arguments);
    companion_step_aside(operation == SECCOMP_SET_MODE_FILTER && (flags & SECCOMP_FILTER_FLAG_TSYNC));
    confined_begin(operation == SECCOMP_SET_MODE_FILTER ? arguments : NULL, &filter);
    result = system_calls_real(SYS_seccomp, operation, flags, arguments);
    confined_end(&filter, result >= 0);
    companion_settle();
    return result;
}

static bool is_dispatch(const long *arguments)
{
    return arguments[0] == PR_SET_SYSCALL_USER_DISPATCH && arguments[1] == PR_SYS_DISPATCH_ON;
}

static long change_filter(filter_calls_real real, const long *arguments)
{
    struct confined_filter filter;
    long result;

    companion_step_aside(false);
    confined_begin(arguments[1] == SECCOMP_MODE_FILTER ? (const struct sock_fprog *)arguments[2] : NULL, &filter);
    result = real(arguments);
    confined_end(&filter, result == 0);
    companion_settle();
    return result;
}

/* System calls come to the program as SIGSYS, those that a handler of ours makes as well. */
static long change_dispatch(filter_calls_real real, const long *arguments)
{
    long result;

    signals_release();
    result = real(arguments);
    if (result != 0)
        signals_reclaim();
    return result;
}

long filter_calls_prctl(filter_calls_real real, const long *arguments)
{
    long result;

    if (arguments[0] == PR_SET_SECCOMP && !lane_is_borrowed())
        return change_filter(real, arguments);
    if (is_dispatch(arguments) && !lane_is_borrowed() && !confined_forbids_mask())
        return change_dispatch(real, arguments);
    result = real(arguments);
    rights_end(SYS_prctl, arguments, result);
    return result;
}

static long by_name(const long *arguments)
{
    return real_prctl((int)arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
}

INTERPOSE(int, prctl)(int option, ...)
{
    long arguments[RIGHTS_ARGUMENTS] = {option};
    va_list rest;

    va_start(rest, option);
    for (int i = 1; i < RIGHTS_ARGUMENTS; i++)
        arguments[i] = va_arg(rest, long);
    va_end(rest);
    if (!real_prctl)
        filter_calls_resolve();
    return (int)filter_calls_prctl(by_name, arguments);
}
