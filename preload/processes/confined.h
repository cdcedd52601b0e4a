/* Filters of system calls that the program puts on itself (seccomp(2)). They are made for what the program does, and
 * may kill for anything else; so no thread of ours is made under them, and none is left behind to come under them. Each
 * filter is asked beforehand what it would say to callmeter's own system calls. Where it kills for one that a panic
 * needs, the program gets its signals back: a fault then ends it as without us, and nobody counts it. */
#ifndef CALLMETER_PRELOAD_PROCESSES_CONFINED_H
#define CALLMETER_PRELOAD_PROCESSES_CONFINED_H

#include <stdbool.h>
#include <stdint.h>

/* Finds the functions that are stood in for. Context: startup. */
void confined_resolve(void);

/* True once this process, or one that it was forked from, has put a filter on itself. Context: any. */
bool confined_is(void);

enum {
    CONFINED_CALLS = 512, /* that a processor has, and some */
};

/* Those that a filter kills for, or asks somebody else about. */
extern uint64_t confined_forbidden[CONFINED_CALLS / 64] __attribute__((visibility("hidden")));

static inline bool confined_forbids(unsigned number)
{
    return __atomic_load_n(&confined_forbidden[number / 64], __ATOMIC_RELAXED) >> number % 64 & 1;
}

/* Panics can be handled, and the program's handlers called. Context: any. */
bool confined_lets_handle(void);

/* A thread can be given a lane. Context: hot. */
bool confined_lets_attach(void);

/* A panic can be reported: else it is only counted. Context: any. */
bool confined_lets_report(void);

#endif
