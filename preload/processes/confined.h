/* Filters of system calls that the program puts on itself (seccomp(2)). They are made for what the program does, and
 * may kill for anything else; so no thread of ours is made under them, and none is left behind to come under them. Each
 * filter is asked beforehand what it would say to callmeter's own system calls. Where it kills for one that a panic
 * needs, the program gets its signals back: a fault then ends it as without us, and nobody counts it. */
#ifndef CALLMETER_PRELOAD_PROCESSES_CONFINED_H
#define CALLMETER_PRELOAD_PROCESSES_CONFINED_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/machine/forbidden.h"

/* What was forbidden before. */
struct confined_before {
    uint64_t forbidden[FORBIDDEN_CALLS / 64];
    bool is_released;
};

/* Around the system call that puts a filter on the calling thread: NULL for the strict mode of old, which lets four
 * system calls. Not in a child of vfork: it confines itself for what it is about to exec, and what it would write here
 * is its parent's. Context: any. */
void confined_begin(const struct sock_fprog *program, struct confined_before *ret_before);
void confined_end(const struct confined_before *before, bool is_done);

#endif
