/* Text and JSON in a buffer of fixed size, without libc's stdio or locale. Context of all: signal. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_TEXT_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_text {
    char *data;
    size_t capacity;
    size_t length;
    bool is_cut; /* something did not fit: nothing more is added */
};

void report_text_put(struct report_text *text, const char *string);
void report_text_put_decimal(struct report_text *text, int64_t value);

/* With leading zeros up to `width` digits. */
void report_text_put_padded(struct report_text *text, uint64_t value, unsigned width);

/* "0x..." */
void report_text_put_hexadecimal(struct report_text *text, uint64_t value);

/* As a JSON string, quotes included. What is not UTF-8 becomes U+FFFD. */
void report_text_put_json(struct report_text *text, const char *string);

/* The same for what people read: control characters and what is not ASCII or UTF-8 become '?'. */
void report_text_put_plain(struct report_text *text, const char *string);

/* Unix time as RFC 3339 has it, in UTC with milliseconds; is_compact: as in names of files, without separators. */
void report_text_put_time(struct report_text *text, int64_t seconds, long nanoseconds, bool is_compact);

#endif
