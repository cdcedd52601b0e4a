#include "preload/confined.h"

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "preload/companion.h"

#define PUBLIC __attribute__((visibility("default")))

typedef long (*syscall_function)(long, ...);

long confined_seccomp(long number, unsigned long operation, unsigned long flags, void *arguments);

static long first_syscall(long number, ...);

/* For system_call.S. */
syscall_function confined_syscall __attribute__((visibility("hidden"))) = first_syscall;

static int (*real_prctl)(int, ...);
static atomic_bool is_confined;

void confined_resolve(void)
{
    *(void **)&real_prctl = dlsym(RTLD_NEXT, "prctl");
    *(void **)&confined_syscall = dlsym(RTLD_NEXT, "syscall");
}

bool confined_is(void)
{
    return atomic_load(&is_confined);
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
    bool is_stopped = is_filter && (flags & SECCOMP_FILTER_FLAG_TSYNC) && companion_stop();
    long result = confined_syscall(number, operation, flags, arguments);

    if (is_filter && result >= 0)
        atomic_store(&is_confined, true);
    else if (is_stopped)
        companion_start();
    return result;
}

PUBLIC int prctl(int option, ...)
{
    unsigned long arguments[4];
    va_list rest;
    int result;

    va_start(rest, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(rest, unsigned long);
    va_end(rest);
    if (!real_prctl)
        confined_resolve();
    result = real_prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
    if (option == PR_SET_SECCOMP && result == 0)
        atomic_store(&is_confined, true);
    return result;
}
