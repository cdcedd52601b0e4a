/* A panic, as whoever tells of it needs to know it: panic.so's report, or the one line on standard error. */
#ifndef CALLMETER_PRELOAD_PANIC_EVENT_H
#define CALLMETER_PRELOAD_PANIC_EVENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

struct hook;

struct panic_event {
    int signal;
    const siginfo_t *info;
    const ucontext_t *context;
    const struct hook *hook; /* of the innermost tracked call of the thread, or NULL */
    const char *recovered;   /* NULL: the call is left with its `recover` value; else why not (static text) */
    bool is_in_callmeter;    /* the fault is in callmeter's own code */
    /* Writes a line, newline included, to standard error: once, if that is still what it was at the start, can take it
     * without waiting, and CALLMETER_LOG lets it. Context: signal. */
    void (*write_line)(const char *line, size_t bytes);
};

#endif
