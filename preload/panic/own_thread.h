/* Signals that come to callmeter's own thread, the one that serves. None of them is for the program's handlers there.
 */
#ifndef CALLMETER_PRELOAD_PANIC_OWN_THREAD_H
#define CALLMETER_PRELOAD_PANIC_OWN_THREAD_H

#include "preload/panic/arrival.h"

/* What the kernel has raised stops the thread for ever: it does not return. Anything else is passed on to the program's
 * threads. Context: signal, in callmeter's own thread. */
void own_thread_take(const struct arrival *arrival);

#endif
