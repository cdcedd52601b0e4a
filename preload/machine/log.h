/* Messages to the person who started the program: one line each on stderr. */
#ifndef CALLMETER_PRELOAD_MACHINE_LOG_H
#define CALLMETER_PRELOAD_MACHINE_LOG_H

#include <stddef.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* Takes a value of CALLMETER_LOG; NULL or unknown: warn. Nothing is ever written if stderr is closed now. Context:
 * startup. */
void log_init(const char *level);

/* `callmeter[PID]: LEVEL: text` in one write. Leaves errno alone. Context: startup, server thread. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes a line of level error, which has its prefix and its newline, to standard error by the descriptor `fd`; not if
 * that is another file than standard error was at the start, or would have to be waited for. Context: signal. */
void log_write(int fd, const char *line, size_t bytes);

#endif
