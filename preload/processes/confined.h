/* Filters of system calls that the program puts on itself (seccomp(2)). They are made for what the program does, and
 * may kill for anything else; so no thread of ours is left behind to come under them, and one is made under them only
 * where they let it be. Each filter is asked beforehand what it would say to callmeter's own system calls. Where it
 * kills for one that a panic needs, the program gets its signals back: a fault then ends it as without us, and nobody
 * counts it. */
#ifndef CALLMETER_PRELOAD_PROCESSES_CONFINED_H
#define CALLMETER_PRELOAD_PROCESSES_CONFINED_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/machine/forbidden.h"

/* What a filter would forbid. */
struct confined_filter {
    uint64_t forbidden[FORBIDDEN_CALLS / 64];
    bool is_released;  /* the signals are, for it */
    bool ends_serving; /* no thread of ours can be under it */
};

/* Around the system call that puts a filter on the calling thread; its program, or NULL for the strict mode of old,
 * which lets four system calls. Several threads may be at it. Not in a child of vfork: it confines itself for what it
 * is about to exec, and what it would write here is its parent's. Context: any. */
void confined_begin(const struct sock_fprog *program, struct confined_filter *ret_filter);
void confined_end(const struct confined_filter *filter, bool is_in_place);

/* A filter that is in place kills for rt_sigprocmask. The signals are the program's for good then. Context: any. */
bool confined_forbids_mask(void);

#endif
