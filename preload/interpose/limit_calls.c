/* The functions of libc that set and read limits of resources, which the preload object stands in for. */

/* The functions are to be defined by their own names. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "preload/interpose/interpose.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/address_limit.h"

static int (*real_getrlimit)(__rlimit_resource_t, struct rlimit *);
static int (*real_setrlimit)(__rlimit_resource_t, const struct rlimit *);
static int (*real_prlimit)(pid_t, enum __rlimit_resource, const struct rlimit *, struct rlimit *);

void limit_calls_resolve(void)
{
    *(void **)&real_getrlimit = dlsym(RTLD_NEXT, "getrlimit");
    *(void **)&real_setrlimit = dlsym(RTLD_NEXT, "setrlimit");
    *(void **)&real_prlimit = dlsym(RTLD_NEXT, "prlimit");
}

static void resolve_first(void)
{
    if (!real_prlimit)
        limit_calls_resolve();
}

INTERPOSE(int, getrlimit)(__rlimit_resource_t resource, struct rlimit *value)
{
    resolve_first();
    return address_limit_is_hidden((int)resource) ? address_limit_change((int)resource, NULL, value)
                                                  : real_getrlimit(resource, value);
}

INTERPOSE(int, setrlimit)(__rlimit_resource_t resource, const struct rlimit *value)
{
    resolve_first();
    return address_limit_is_hidden((int)resource) ? address_limit_change((int)resource, value, NULL)
                                                  : real_setrlimit(resource, value);
}

INTERPOSE(int, prlimit)(pid_t pid, enum __rlimit_resource resource, const struct rlimit *value, struct rlimit *old)
{
    bool is_own = pid == 0 || pid == cpu_own_pid();

    resolve_first();
    return is_own && address_limit_is_hidden((int)resource) ? address_limit_change((int)resource, value, old)
                                                            : real_prlimit(pid, resource, value, old);
}

/* rlim_t has 64 bits here. */
INTERPOSE(int, getrlimit64)(__rlimit_resource_t resource, struct rlimit64 *limit) __attribute__((alias("getrlimit")));
INTERPOSE(int, setrlimit64)
(__rlimit_resource_t resource, const struct rlimit64 *limit) __attribute__((alias("setrlimit")));
INTERPOSE(int, prlimit64)
(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit, struct rlimit64 *old)
    __attribute__((alias("prlimit")));
