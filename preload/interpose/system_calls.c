/* syscall(2) for those system calls that are looked at (x86_64/system_call.S), on their way to libc's. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/interpose/filter_calls.h"
#include "preload/interpose/interpose.h"
#include "preload/interpose/rights.h"

#ifndef SYS_lsm_set_self_attr
#define SYS_lsm_set_self_attr 460
#endif

#define WORD(number) ((number) / 64)
#define BIT(number)  (UINT64_C(1) << (number) % 64)

static long first_syscall(long number, ...);
long system_calls_looked_at(long number, long a, long b, long c, long d, long e, long f);

/* For system_call.S: libc's, and which go to the function below; a bit for each of the first 512. */
system_call_function system_calls_real __attribute__((visibility("hidden"))) = first_syscall;
extern const uint64_t system_calls_seen[8] __attribute__((visibility("hidden")));
const uint64_t system_calls_seen[8] = {
    [WORD(SYS_setuid)] = BIT(SYS_setuid) | BIT(SYS_setgid) | BIT(SYS_setreuid) | BIT(SYS_setregid) |
                         BIT(SYS_setgroups) | BIT(SYS_setresuid) | BIT(SYS_setresgid) | BIT(SYS_setfsuid) |
                         BIT(SYS_setfsgid) | BIT(SYS_capset),
    [WORD(SYS_prctl)] = BIT(SYS_prctl),
    [WORD(SYS_unshare)] = BIT(SYS_unshare) | BIT(SYS_setns) | BIT(SYS_seccomp),
    [WORD(SYS_landlock_restrict_self)] = BIT(SYS_landlock_restrict_self),
    [WORD(SYS_lsm_set_self_attr)] = BIT(SYS_lsm_set_self_attr),
};

void system_calls_resolve(void)
{
    *(void **)&system_calls_real = dlsym(RTLD_NEXT, "syscall");
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
    system_calls_resolve();
    return system_calls_real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                             arguments[5]);
}

static long by_number(const long *arguments)
{
    return system_calls_real(SYS_prctl, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
}

__attribute__((visibility("hidden"))) long system_calls_looked_at(long number, long a, long b, long c, long d, long e,
                                                                  long f)
{
    const long arguments[RIGHTS_ARGUMENTS] = {a, b, c, d, e};
    long result;

    if (number == SYS_seccomp)
        return filter_calls_seccomp((unsigned long)a, (unsigned long)b, (void *)c);
    if (number == SYS_prctl)
        return filter_calls_prctl(by_number, arguments);
    rights_begin(number, arguments);
    result = system_calls_real(number, a, b, c, d, e, f);
    rights_end(number, arguments, result);
    return result;
}
