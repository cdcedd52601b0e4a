/* The system calls that the program's filters (seccomp(2)) kill for: a table of bits that processes/confined.c fills,
 * and that whoever makes system calls in the program's place asks first. */
#ifndef CALLMETER_PRELOAD_MACHINE_FORBIDDEN_H
#define CALLMETER_PRELOAD_MACHINE_FORBIDDEN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FORBIDDEN_CALLS = 512, /* that a processor has, and some */
};

/* Those that a filter kills for, or asks somebody else about. */
extern uint64_t forbidden_calls[FORBIDDEN_CALLS / 64] __attribute__((visibility("hidden")));

/* Context: any. */
static inline bool forbidden_is(unsigned number)
{
    return __atomic_load_n(&forbidden_calls[number / 64], __ATOMIC_RELAXED) >> number % 64 & 1;
}

/* Panics can be handled, and the program's handlers called. Context: any. */
bool forbidden_lets_handle(void);

/* A thread can be given a lane. Context: hot. */
bool forbidden_lets_attach(void);

/* A panic can be reported: else it is only counted. Context: any. */
bool forbidden_lets_report(void);

/* The process, or one that it was forked from, has put a filter on itself. Context: any. */
bool forbidden_is_confined(void);
void forbidden_set_confined(void);

#endif
