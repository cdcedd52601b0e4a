/* What a filter of system calls, a program for the kernel's classic BPF (seccomp(2)), would say to a call. */
#ifndef CALLMETER_PRELOAD_MACHINE_FILTER_H
#define CALLMETER_PRELOAD_MACHINE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* What is known of the machine before an instruction. */
struct filter_state {
    uint32_t a;
    uint32_t x;
    uint8_t is_reached;
    uint8_t is_a_known;
    uint8_t is_x_known;
};

/* The filter's answer, one of SECCOMP_RET_..., to system call `number` of this processor, all of whose arguments are 0.
 * What the kernel would refuse as a filter is answered with SECCOMP_RET_KILL_PROCESS. Context: any. */
uint32_t filter_run(const struct sock_filter *code, unsigned length, uint32_t number);

/* What may come of a system call, whatever its arguments are. */
enum {
    FILTER_ALLOWS = 1,
    FILTER_FAILS = 2, /* it fails with an error */
    FILTER_KILLS = 4, /* the thread or the process is ended, or somebody else is asked */
};

/* The ways in which the filter may answer: a set of the above. `states` is room for one of each instruction. What the
 * filter keeps in its memory is taken for anything. Context: any. */
unsigned filter_ways(const struct sock_filter *code, unsigned length, uint32_t number, struct filter_state *states);

/* How many instructions a program has that is handed to the kernel; 0: it cannot be read. Context: any. */
unsigned filter_length(const struct sock_fprog *program);

#endif
