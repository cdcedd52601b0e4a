#include "preload/interpose/rights.h"

#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/companion.h"

/* What a thread alone leaves, or Linux lets no process with several threads leave. Not those that are for children only
 * (CLONE_NEWPID, CLONE_NEWTIME): after these no thread can be made any more. */
#define LEFT_ALONE                                                                                                     \
    (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP |           \
     CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
/* To enter a namespace of time is for the process, and for one of one thread. */
#define ENTERED_ALONE                                                                                                  \
    (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWTIME)

#ifndef SYS_lsm_set_self_attr
#define SYS_lsm_set_self_attr 460
#endif

/* The kinds of namespaces that are entered; below 0: not to be found out. */
static long namespaces_of(long fd, long kinds)
{
    return kinds ? kinds : cpu_syscall(SYS_ioctl, fd, NS_GET_NSTYPE, 0, 0, 0, 0);
}

/* The companion cannot make the call in the program's stead: it steps aside. */
static bool is_to_be_alone(long number, const long *arguments)
{
    switch (number) {
    case SYS_unshare:
        return arguments[0] & LEFT_ALONE;
    case SYS_setns:
        return companion_is_wanted() && namespaces_of(arguments[0], arguments[1]) & ENTERED_ALONE;
    case SYS_landlock_restrict_self:
    case SYS_lsm_set_self_attr:
        return true;
    default:
        return false;
    }
}

static bool is_thread_option(const long *arguments)
{
    switch ((int)arguments[0]) {
    case PR_SET_KEEPCAPS:
    case PR_SET_SECUREBITS:
    case PR_CAPBSET_DROP:
    case PR_SET_NO_NEW_PRIVS:
        return true;
    case PR_CAP_AMBIENT:
        return arguments[1] != PR_CAP_AMBIENT_IS_SET;
    default:
        return false;
    }
}

/* The companion makes the same call. */
static bool is_to_be_repeated(long number, const long *arguments)
{
    switch (number) {
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setgroups:
    case SYS_setfsuid:
    case SYS_setfsgid:
    case SYS_capset:
        return true;
    case SYS_prctl:
        return is_thread_option(arguments);
    default:
        return false;
    }
}

/* The header may have the caller's own number, which is not the companion's. */
static void repeat_capset(const long *arguments)
{
    struct __user_cap_header_struct header = *(const struct __user_cap_header_struct *)arguments[0];
    const long changed[RIGHTS_ARGUMENTS] = {(long)&header, arguments[1]};

    header.pid = 0;
    companion_repeat(SYS_capset, changed);
}

void rights_begin(long number, const long *arguments)
{
    if (is_to_be_alone(number, arguments))
        companion_step_aside(false);
}

void rights_end(long number, const long *arguments, long result)
{
    if (is_to_be_alone(number, arguments))
        companion_settle();
    else if (result != -1 && number == SYS_capset)
        repeat_capset(arguments);
    else if (result != -1 && is_to_be_repeated(number, arguments))
        companion_repeat(number, arguments);
}
