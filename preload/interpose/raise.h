/* abort, raise and kill, which the preload object stands in for. A signal without a handler needs no
 * stack to end the program; with callmeter's handler it does. So where a handler of the program's has hardly any left
 * (signals/cramped.h) and raises such a signal, the panic is handled before, and the signal then finds the default
 * action. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_RAISE_H
#define CALLMETER_PRELOAD_INTERPOSE_RAISE_H

#include <stdint.h>

/* What x86_64/raise.S has on the stack; the caller's stack begins behind it. */
struct raise_call {
    uint64_t unused;
    uint64_t rbx;
    uint64_t rbp;
    uint64_t r12;
    uint64_t r13;
    uint64_t r14;
    uint64_t r15;
    uint64_t second; /* arguments */
    uint64_t first;
    uintptr_t return_address;
};

#endif
