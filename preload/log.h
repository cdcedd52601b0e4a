/* Messages to the person who started the program: one line each on stderr. */
#ifndef CALLMETER_PRELOAD_LOG_H
#define CALLMETER_PRELOAD_LOG_H

#include "preload/shim.h"

/* Takes a value of CALLMETER_LOG; NULL or unknown: warn. Nothing is ever written if stderr is closed now. Context:
 * startup. */
void log_init(const char *level);

/* `callmeter[PID]: LEVEL: text` in one write. Leaves errno alone. Context: startup, server thread. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
