/* A claimed signal that has come, and what delivery.c has found out about it. It lies on the stack of whom it came to,
 * below the kernel's frame. */
#ifndef CALLMETER_PRELOAD_PANIC_ARRIVAL_H
#define CALLMETER_PRELOAD_PANIC_ARRIVAL_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

struct arrival {
    int signal;
    siginfo_t *info;
    ucontext_t *context;
    bool is_fault;        /* the interrupted instruction has raised it */
    bool is_from_outside; /* another process has sent it */
};

#endif
