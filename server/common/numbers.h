/* Numbers as the exposition formats want them, whatever the locale: the shortest digits that read back as the same
 * value, laid out as Go's %g does (which is what "canonical" means in OpenMetrics). */
#ifndef CALLMETER_SERVER_COMMON_NUMBERS_H
#define CALLMETER_SERVER_COMMON_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Enough for any number below, NUL included. */
enum {
    NUMBERS_BYTES = 32
};

/* Each writes NUL-terminated text and returns its length. Context: any thread; no allocation. */

size_t numbers_format_uint64(uint64_t value, char text[NUMBERS_BYTES]);
size_t numbers_format_int64(int64_t value, char text[NUMBERS_BYTES]);

/* 0x1f3a; 0x0. */
size_t numbers_format_hexadecimal(uint64_t value, char text[NUMBERS_BYTES]);

/* 0.005, 1e-05, 2.5, 1e+06, NaN, +Inf, -Inf; whole numbers below 2^53 in plain digits. */
size_t numbers_format_double(double value, char text[NUMBERS_BYTES]);

/* The same, with no more digits than tell a float from any other: 0.1 for 0.1f. */
size_t numbers_format_float(float value, char text[NUMBERS_BYTES]);

/* The canonical value of an `le` label: 1.0, 0.005, 1e-05, 1e+06, +Inf. */
size_t numbers_format_bound(double value, char text[NUMBERS_BYTES]);

/* A date as HTTP has it (RFC 9110, 5.6.7), in 29 characters: Sun, 06 Nov 1994 08:49:37 GMT. The libc's own conversions
 * read TZ on their first use in a process, which is the program's to set until it uses them. */
size_t numbers_format_http_date(int64_t unix_time, char text[NUMBERS_BYTES]);

#endif
