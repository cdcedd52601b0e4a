/* Is it abort(3) that raised a SIGABRT? Its second one, when the first came to nothing, is seen by nobody: it puts the
 * default action in the kernel by itself. */
#ifndef CALLMETER_PRELOAD_PANIC_ABORT_H
#define CALLMETER_PRELOAD_PANIC_ABORT_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

/* Finds abort(3). Context: startup. */
void abort_init(void);

/* True if this thread raised the signal, and a return address into abort(3) lies where its call of raise(3) puts it.
 * Context: signal. */
bool abort_is_caller(const siginfo_t *info, const ucontext_t *context);

#endif
