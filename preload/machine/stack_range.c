#include "preload/machine/stack_range.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"

/* Reads the file through a small buffer: a signal stack may be all there is. */
struct reader {
    long fd;
    long offset; /* of what comes next: a child that is forked meanwhile shares the file's own */
    long length;
    long position;
    char buffer[256];
};

static int reader_next(struct reader *reader)
{
    if (reader->position == reader->length) {
        reader->length = cpu_syscall(forbidden_is(SYS_pread64) ? SYS_read : SYS_pread64, reader->fd,
                                     (long)reader->buffer, sizeof(reader->buffer), reader->offset, 0, 0);
        reader->position = 0;
        if (reader->length <= 0) {
            reader->length = 0;
            return -1;
        }
        reader->offset += reader->length;
    }
    return reader->buffer[reader->position++];
}

/* A hexadecimal number; *ret_end is the character after it, or -1 at the end of the file. */
static uintptr_t reader_hex(struct reader *reader, int *ret_end)
{
    uintptr_t value = 0;
    int c;

    for (;;) {
        c = reader_next(reader);
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        else
            break;
    }
    *ret_end = c;
    return value;
}

/* The rest of the line; true if it names the stack that grows. */
static bool reader_skip_line(struct reader *reader)
{
    static const char name[] = "[stack]";
    unsigned matched = 0;
    bool is_stack = false;
    int c;

    while ((c = reader_next(reader)) != '\n' && c != -1) {
        matched = c == name[matched] ? matched + 1 : 0;
        if (matched == sizeof(name) - 1) {
            is_stack = true;
            matched = 0;
        }
    }
    return is_stack;
}

struct stack_range stack_range_of(uintptr_t address)
{
    struct stack_range found = {0, 0};
    struct reader reader;
    uintptr_t below = 0;

    if (forbidden_is(SYS_openat))
        return found;
    reader.offset = 0;
    reader.length = 0;
    reader.position = 0;
    reader.fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (reader.fd < 0)
        return found;
    for (;;) {
        int end;
        uintptr_t low = reader_hex(&reader, &end);
        uintptr_t high;
        bool is_stack;

        if (end != '-')
            break;
        high = reader_hex(&reader, &end);
        is_stack = reader_skip_line(&reader);
        if (address >= low && address < high) {
            found.low = is_stack ? below : low;
            found.high = high;
            break;
        }
        below = high;
    }
    cpu_syscall(SYS_close, reader.fd, 0, 0, 0, 0, 0);
    return found;
}

struct stack_range stack_alternate(void)
{
    struct stack_range range = {0, 0};
    stack_t stack;

    if (cpu_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0) != 0 || !(stack.ss_flags & SS_ONSTACK))
        return range;
    range.low = (uintptr_t)stack.ss_sp;
    range.high = range.low + stack.ss_size;
    return range;
}
