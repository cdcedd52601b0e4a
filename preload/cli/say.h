/* What the command line says on stderr. */
#ifndef CALLMETER_PRELOAD_CLI_SAY_H
#define CALLMETER_PRELOAD_CLI_SAY_H

/* Writes "callmeter: TEXT", on one line whatever the text holds. */
void say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says that there is no memory. Returns CLI_EXIT_BROKEN. */
int say_out_of_memory(void);

/* Refuses a command line: one line, unless the format is NULL, and the way to --help of the command, or of all (NULL).
 * Returns CLI_EXIT_USAGE. */
int say_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
