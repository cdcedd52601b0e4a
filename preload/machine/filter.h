/* What a filter of system calls, a program for the kernel's classic BPF (seccomp(2)), would say to a call. */
#ifndef CALLMETER_PRELOAD_MACHINE_FILTER_H
#define CALLMETER_PRELOAD_MACHINE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* The filter's answer, one of SECCOMP_RET_..., to system call `number` of this processor, all of whose arguments are 0.
 * What the kernel would refuse as a filter is answered with SECCOMP_RET_KILL_PROCESS. Context: any. */
uint32_t filter_run(const struct sock_filter *code, unsigned length, uint32_t number);

/* How many instructions a program has that is handed to the kernel; 0: it cannot be read. Context: any. */
unsigned filter_length(const struct sock_fprog *program);

#endif
