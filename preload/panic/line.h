/* The line about a panic on standard error, put together without libc's formatting. Context: signal. */
#ifndef CALLMETER_PRELOAD_PANIC_LINE_H
#define CALLMETER_PRELOAD_PANIC_LINE_H

#include <stddef.h>
#include <stdint.h>

struct panic_event;
struct segment_header;

enum {
    PANIC_LINE_PART_BYTES = 256, /* of one text; the rest is cut off */
};

/* Begins with length 0; what does not fit is left out. */
struct panic_line {
    char text[3 * PANIC_LINE_PART_BYTES];
    size_t length;
};

void panic_line_add(struct panic_line *line, const char *text);
void panic_line_add_number(struct panic_line *line, uint64_t value, unsigned base);

/* `callmeter[PID]: error: SIGSEGV at 0x0 in FUNCTION (MODULE)`, by event->write_line. */
void panic_line_write(const struct panic_event *event, const struct segment_header *segment);

#endif
