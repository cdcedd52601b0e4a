/* The functions of libc that change capabilities, namespaces and the ids of one thread, which the preload object stands
 * in for. Those that change the ids of all threads (setuid and its like) do so with callmeter's. */
#include <dlfcn.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "preload/interpose/interpose.h"
#include "preload/interpose/rights.h"

static int (*real_unshare)(int);
static int (*real_setns)(int, int);
static int (*real_capset)(void *, const void *);
static int (*real_setfsuid)(uid_t);
static int (*real_setfsgid)(gid_t);

void credential_calls_resolve(void)
{
    *(void **)&real_unshare = dlsym(RTLD_NEXT, "unshare");
    *(void **)&real_setns = dlsym(RTLD_NEXT, "setns");
    *(void **)&real_capset = dlsym(RTLD_NEXT, "capset");
    *(void **)&real_setfsuid = dlsym(RTLD_NEXT, "setfsuid");
    *(void **)&real_setfsgid = dlsym(RTLD_NEXT, "setfsgid");
}

static void resolve_first(const void *real)
{
    if (!real)
        credential_calls_resolve();
}

/* No header of libc's has it; libcap calls it. */
int capset(void *header, const void *data);

INTERPOSE(int, capset)(void *header, const void *data)
{
    const long arguments[RIGHTS_ARGUMENTS] = {(long)header, (long)data};
    int result;

    resolve_first(*(void **)&real_capset);
    rights_begin(SYS_capset, arguments);
    result = real_capset(header, data);
    rights_end(SYS_capset, arguments, result);
    return result;
}

INTERPOSE(int, unshare)(int flags)
{
    const long arguments[RIGHTS_ARGUMENTS] = {flags};
    int result;

    resolve_first(*(void **)&real_unshare);
    rights_begin(SYS_unshare, arguments);
    result = real_unshare(flags);
    rights_end(SYS_unshare, arguments, result);
    return result;
}

INTERPOSE(int, setns)(int fd, int flags)
{
    const long arguments[RIGHTS_ARGUMENTS] = {fd, flags};
    int result;

    resolve_first(*(void **)&real_setns);
    rights_begin(SYS_setns, arguments);
    result = real_setns(fd, flags);
    rights_end(SYS_setns, arguments, result);
    return result;
}

/* These return what was before, whatever comes of it. */
INTERPOSE(int, setfsuid)(uid_t user)
{
    const long arguments[RIGHTS_ARGUMENTS] = {user};
    int before;

    resolve_first(*(void **)&real_setfsuid);
    before = real_setfsuid(user);
    rights_end(SYS_setfsuid, arguments, 0);
    return before;
}

INTERPOSE(int, setfsgid)(gid_t group)
{
    const long arguments[RIGHTS_ARGUMENTS] = {group};
    int before;

    resolve_first(*(void **)&real_setfsgid);
    before = real_setfsgid(group);
    rights_end(SYS_setfsgid, arguments, 0);
    return before;
}
