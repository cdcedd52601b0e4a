#include "preload/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static int most_verbose = LOG_LEVEL_WARN; /* -1: off */

void log_init(const char *level)
{
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 || (level && strcmp(level, "off") == 0)) {
        most_verbose = -1;
        return;
    }
    for (int i = 0; level && i < (int)(sizeof(level_names) / sizeof(level_names[0])); i++)
        if (strcmp(level, level_names[i]) == 0)
            most_verbose = i;
}

void log_line(enum log_level level, const char *format, ...)
{
    int saved_errno = errno;
    char line[2048];
    va_list arguments;
    int prefix;
    int text;

    if ((int)level > most_verbose)
        return;
    prefix = snprintf(line, sizeof(line), "callmeter[%d]: %s: ", (int)getpid(), level_names[level]);
    va_start(arguments, format);
    text = vsnprintf(line + prefix, sizeof(line) - (size_t)prefix - 1, format, arguments);
    va_end(arguments);
    if (text > 0) {
        size_t length = strlen(line);

        line[length] = '\n';
        if (write(STDERR_FILENO, line, length + 1) < 0) {
            /* Nobody is left to tell. */
        }
    }
    errno = saved_errno;
}
