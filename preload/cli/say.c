#include "preload/cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        return;
    for (char *c = text; *c; c++) /* names of files may hold anything; a line stays one line */
        if ((unsigned char)*c < ' ' || *c == '\x7f')
            *c = '?';
    fprintf(stderr, "callmeter: %s\n", text);
    free(text);
}

void say_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

int say_out_of_memory(void)
{
    say_error("%s", strerror(ENOMEM));
    return CLI_EXIT_BROKEN;
}

int say_usage(const char *command, const char *format, ...)
{
    va_list arguments;

    if (format) {
        va_start(arguments, format);
        say(format, arguments);
        va_end(arguments);
    }
    fprintf(stderr, "Try `callmeter %s%s--help`.\n", command ? command : "", command ? " " : "");
    return CLI_EXIT_USAGE;
}
