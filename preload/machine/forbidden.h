/* The system calls that the program's filters (seccomp(2)) kill for: a table that processes/confined.c fills,
 * and that whoever makes system calls in the program's place asks first. */
#ifndef CALLMETER_PRELOAD_MACHINE_FORBIDDEN_H
#define CALLMETER_PRELOAD_MACHINE_FORBIDDEN_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FORBIDDEN_CALLS = 512, /* that a processor has, and some */
};

/* How many filters kill for each, or ask somebody else about it; those that may yet be refused are among them. */
extern uint32_t forbidden_by[FORBIDDEN_CALLS] __attribute__((visibility("hidden")));

/* Context: any. */
static inline bool forbidden_is(unsigned number)
{
    return __atomic_load_n(&forbidden_by[number], __ATOMIC_RELAXED) != 0;
}

/* Panics can be handled, and the program's handlers called, where only what a filter has in its set of bits is
 * forbidden. Context: any. */
bool forbidden_would_let_handle(const uint64_t *forbidden);

/* A thread can be given a lane. Context: hot. */
bool forbidden_lets_attach(void);

/* A lock that processes share can be taken (shared_lock.h). Context: hot. */
bool forbidden_lets_lock(void);

/* A panic can be reported: else it is only counted. Context: any. */
bool forbidden_lets_report(void);

/* In which ways a filter may answer to a system call: a set of those of filter.h. */
typedef unsigned (*forbidden_question)(unsigned number, void *context);

/* A thread of ours can be made, and serve, where a filter answers so. Context: any. */
bool forbidden_would_let_serve(forbidden_question ways_of, void *context);

/* A filter of the process, or of one that it was forked from, does not let a thread of ours be. Context: any. */
bool forbidden_lets_serve(void);
void forbidden_end_serving(void);

#endif
