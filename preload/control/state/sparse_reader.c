#include "preload/control/state/sparse_reader.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WINDOW_BYTES = 1 << 16,
};

int sparse_reader_init(struct sparse_reader *reader, int fd, uint64_t words)
{
    *reader = (struct sparse_reader){.fd = fd, .room = words * 8 > WINDOW_BYTES ? words * 8 : WINDOW_BYTES};
    reader->window = malloc(reader->room);
    return reader->window ? 0 : -ENOMEM;
}

/* Reads until all is there, or the file ends. Returns how many bytes; -errno. */
static int64_t read_all(int fd, char *to, uint64_t bytes, uint64_t offset)
{
    uint64_t read = 0;

    while (read < bytes) {
        ssize_t got = pread(fd, to + read, bytes - read, (off_t)(offset + read));

        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        if (got > 0)
            read += (uint64_t)got;
    }
    return (int64_t)read;
}

/* Moves the window to `offset`, or notes that a hole reaches from there to `end` at least. */
static int move_window(struct sparse_reader *reader, uint64_t offset, uint64_t end)
{
    off_t data = lseek(reader->fd, (off_t)offset, SEEK_DATA);
    int64_t got;

    if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= end)) {
        reader->hole_start = offset;
        reader->hole_end = data < 0 ? UINT64_MAX : (uint64_t)data;
        return 0;
    }
    got = read_all(reader->fd, reader->window, reader->room, offset);
    if (got < 0)
        return (int)got;
    reader->start = offset;
    reader->bytes = (uint64_t)got;
    return 0;
}

static bool is_in_hole(const struct sparse_reader *reader, uint64_t offset, uint64_t end)
{
    return offset >= reader->hole_start && end <= reader->hole_end;
}

static bool is_in_window(const struct sparse_reader *reader, uint64_t offset, uint64_t end)
{
    return offset >= reader->start && end <= reader->start + reader->bytes;
}

int sparse_reader_words(struct sparse_reader *reader, uint64_t offset, uint64_t count, const uint64_t **ret_words)
{
    uint64_t end = offset + count * 8;
    int result = 0;

    assert(count * 8 <= reader->room);
    if (!is_in_window(reader, offset, end) && !is_in_hole(reader, offset, end))
        result = move_window(reader, offset, end);
    if (result != 0)
        return result;
    if (is_in_hole(reader, offset, end))
        *ret_words = NULL;
    else if (is_in_window(reader, offset, end))
        *ret_words = (const uint64_t *)(const void *)(reader->window + (offset - reader->start));
    else
        return -EINVAL;
    return 0;
}

void sparse_reader_finish(struct sparse_reader *reader)
{
    free(reader->window);
}

int sparse_reader_copy(int fd, void *buffer, uint64_t bytes, uint64_t offset)
{
    int64_t got = read_all(fd, buffer, bytes, offset);

    if (got < 0)
        return (int)got;
    return (uint64_t)got == bytes ? 0 : -EINVAL;
}
