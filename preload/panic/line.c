#include "preload/panic/line.h"

#include <string.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/event.h"
#include "preload/records/hot.h"

void panic_line_add(struct panic_line *line, const char *text)
{
    for (size_t i = 0; i < PANIC_LINE_PART_BYTES && text[i] && line->length < sizeof(line->text) - 1; i++)
        line->text[line->length++] = text[i];
}

void panic_line_add_number(struct panic_line *line, uint64_t value, unsigned base)
{
    char digits[24];
    char *digit = digits + sizeof(digits) - 1;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    panic_line_add(line, digit);
}

/* As sigabbrev_np has them, which is younger than the libc that the preload object may find. */
static const char *name_of(int signal)
{
    static const char names[][8] = {"",       "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
                                    "FPE",    "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
                                    "STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
                                    "XCPU",   "XFSZ", "VTALRM", "PROF", "WINCH", "POLL", "PWR",  "SYS"};

    return signal > 0 && (size_t)signal < sizeof(names) / sizeof(names[0]) ? names[signal] : "?";
}

void panic_line_write(const struct panic_event *event, const struct segment_header *segment)
{
    const struct segment_function *functions = (const void *)((const char *)segment + segment->functions);
    const char *name = name_of(event->signal);
    struct panic_line line;

    line.length = 0;
    panic_line_add(&line, "callmeter[");
    panic_line_add_number(&line, (uint64_t)cpu_own_pid(), 10);
    panic_line_add(&line, "]: error: SIG");
    panic_line_add(&line, name);
    if (event->info->si_code > 0) {
        panic_line_add(&line, " at 0x");
        panic_line_add_number(&line, (uint64_t)(uintptr_t)event->info->si_addr, 16);
    }
    panic_line_add(&line, " in ");
    if (event->hook && event->hook->index < segment->function_count) {
        panic_line_add(&line, (const char *)segment + functions[event->hook->index].name);
        panic_line_add(&line, " (");
        panic_line_add(&line, (const char *)segment + functions[event->hook->index].module);
        panic_line_add(&line, ")");
    } else {
        panic_line_add(&line, "no tracked function");
    }
    if (event->is_in_callmeter)
        panic_line_add(&line, ", in callmeter's own code");
    panic_line_add(&line, "\n");
    event->write_line(line.text, line.length);
}
