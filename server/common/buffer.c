/* Growing memory for one response. */
#include "server/common/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "server/common/pages.h"

enum {
    BUFFER_BYTES_FIRST = 64 * 1024
};

/* The size to grow to for so many bytes, or 0 if the limit forbids it. */
static size_t grown_size(const struct buffer *buffer, size_t needed_bytes)
{
    size_t limit_bytes = buffer->limit_bytes ? buffer->limit_bytes : SIZE_MAX / 4;
    size_t size_bytes = buffer->size_bytes ? buffer->size_bytes : BUFFER_BYTES_FIRST;

    if (needed_bytes > limit_bytes)
        return 0;
    while (size_bytes < needed_bytes)
        size_bytes *= 2;
    return size_bytes < limit_bytes ? size_bytes : limit_bytes;
}

static int grow(struct buffer *buffer, size_t needed_bytes)
{
    size_t size_bytes = grown_size(buffer, needed_bytes);
    void *data;

    if (!size_bytes)
        return -EFBIG;
    if (buffer->data) {
        data = mremap(buffer->data, buffer->size_bytes, size_bytes, MREMAP_MAYMOVE);
        if (data == MAP_FAILED)
            data = NULL;
    } else {
        data = pages_alloc(size_bytes);
    }
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->size_bytes = size_bytes;
    return 0;
}

char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->error)
        return NULL;
    if (bytes > SIZE_MAX / 4 - buffer->used_bytes)
        buffer->error = -ENOMEM;
    else if (bytes > buffer->size_bytes - buffer->used_bytes)
        buffer->error = grow(buffer, buffer->used_bytes + bytes);
    return buffer->error ? NULL : buffer->data + buffer->used_bytes;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t count)
{
    char *room = buffer_reserve(buffer, count);

    if (!room)
        return;
    memcpy(room, bytes, count);
    buffer->used_bytes += count;
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_finish(struct buffer *buffer)
{
    size_t limit_bytes = buffer->limit_bytes;

    pages_free(buffer->data, buffer->size_bytes);
    *buffer = (struct buffer){.limit_bytes = limit_bytes};
}
