/* Is a filter of system calls (seccomp) in force? Services have lists of the calls that they may make, such as
 * systemd's SystemCallFilter=@system-service, and any other is the end of the process. So what is not among those calls
 * is not even tried then: pidfd_getfd, mincore. Asking for it is no part of what is filtered in practice (prctl). */
#ifndef CALLMETER_SERVER_COMMON_FILTERED_H
#define CALLMETER_SERVER_COMMON_FILTERED_H

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Any context. Of the calling thread. */
static inline bool filtered_is(void)
{
    return syscall(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) > 0;
}

#endif
