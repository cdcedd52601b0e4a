#include "preload/machine/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/machine/quiet.h"
#include "preload/machine/x86_64/cpu.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static int most_verbose = LOG_LEVEL_WARN; /* -1: off */

/* What descriptor 2 was at the start. */
static struct {
    dev_t device;
    ino_t inode;
    bool is_known;
} standard_error;

void log_init(const char *level)
{
    struct stat status;

    if (cpu_syscall(SYS_fstat, STDERR_FILENO, (long)&status, 0, 0, 0, 0) != 0 || (level && strcmp(level, "off") == 0)) {
        most_verbose = -1;
        return;
    }
    standard_error.device = status.st_dev;
    standard_error.inode = status.st_ino;
    standard_error.is_known = true;
    for (int i = 0; level && i < (int)(sizeof(level_names) / sizeof(level_names[0])); i++)
        if (strcmp(level, level_names[i]) == 0)
            most_verbose = i;
}

/* Names of files may hold anything; a line stays one line. */
static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == '\x7f')
            *text = '?';
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

        clean(line);
        line[length] = '\n';
        quiet_put(STDERR_FILENO, line, length + 1);
    }
    errno = saved_errno;
}

void log_write(int fd, const char *line, size_t bytes)
{
    struct stat status;

    if (most_verbose < LOG_LEVEL_ERROR || !standard_error.is_known ||
        cpu_syscall(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) != 0 || status.st_dev != standard_error.device ||
        status.st_ino != standard_error.inode)
        return;
    quiet_put(fd, line, bytes);
}
