/* The functions of libc that change capabilities and namespaces, which the preload object stands in for: some of it is
 * for processes of one thread alone, so the companion steps aside. */
#include <dlfcn.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "preload/interpose/interpose.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/companion.h"

/* Namespaces that Linux lets no process with several threads enter, or none whose threads share a working directory. */
#define LONELY_SETNS   (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWTIME)
#define LONELY_UNSHARE (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)

static int (*real_unshare)(int);
static int (*real_setns)(int, int);
static int (*real_capset)(void *, const void *);

void credential_calls_resolve(void)
{
    *(void **)&real_unshare = dlsym(RTLD_NEXT, "unshare");
    *(void **)&real_setns = dlsym(RTLD_NEXT, "setns");
    *(void **)&real_capset = dlsym(RTLD_NEXT, "capset");
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
    int result;

    companion_step_aside(false);
    resolve_first(*(void **)&real_capset);
    result = real_capset(header, data);
    companion_settle();
    return result;
}

INTERPOSE(int, unshare)(int flags)
{
    int result;

    if (flags & LONELY_UNSHARE)
        companion_step_aside(false);
    resolve_first(*(void **)&real_unshare);
    result = real_unshare(flags);
    companion_settle();
    return result;
}

/* The kinds of namespaces that are entered; below 0: not to be found out. */
static long namespaces_of(int fd, int flags)
{
    return flags ? flags : cpu_syscall(SYS_ioctl, fd, NS_GET_NSTYPE, 0, 0, 0, 0);
}

INTERPOSE(int, setns)(int fd, int flags)
{
    int result;

    if (companion_is_wanted() && (namespaces_of(fd, flags) & LONELY_SETNS))
        companion_step_aside(false);
    resolve_first(*(void **)&real_setns);
    result = real_setns(fd, flags);
    companion_settle();
    return result;
}
