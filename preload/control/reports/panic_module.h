/* The panic module: unwinding and reports, with libunwind. Loaded only where a manifest asks for reports or recovery,
 * or for an endpoint, whose thread cannot be ended and made anywhere. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_PANIC_MODULE_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_PANIC_MODULE_H

#include <stddef.h>
#include <ucontext.h>

#include "preload/control/reports/backtrace.h"
#include "preload/control/reports/report.h"

struct panic_event;
struct record;

struct panic_module_config {
    struct backtrace_config backtrace;
    struct report_config report;
};

/* What the handler calls. Context of both: signal, one thread at a time. And what is asked beside panics. */
struct panic_module {
    void (*report)(const struct panic_event *event);
    int (*unwind_to_record)(const ucontext_t *context, const struct record *record, struct backtrace_registers *ret);
    int (*meets_signal_frame)(const ucontext_t *context, uint64_t limit_ns); /* interrupted.h */
};

/* The module's one entry. The text says what is wrong with the folder, "" if nothing is: reports are tried all the
 * same, it may come right. NULL, with the text: there is no unwinding here. Context: startup. */
typedef const struct panic_module *(*panic_module_open)(const struct panic_module_config *config, char *text,
                                                        size_t text_bytes);

#endif
