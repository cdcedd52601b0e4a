#include "symbols/common/bulk.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    MAPPED_BYTES_MIN = 65536, /* half of what glibc's malloc maps for itself at first */
    CHUNK_BYTES = 2 * MAPPED_BYTES_MIN,
};

/* In front of the memory. */
struct bulk {
    alignas(max_align_t) size_t bytes; /* this included */
};

struct bulk_text_chunk {
    struct bulk_text_chunk *before;
    size_t used;
    size_t bytes;
    char text[];
};

static bool is_mapped(size_t bytes)
{
    return bytes >= MAPPED_BYTES_MIN;
}

static struct bulk *bulk_of(void *memory)
{
    return memory ? (struct bulk *)memory - 1 : NULL;
}

/* The memory behind the header, which is written; NULL stays NULL. */
static void *with_size(struct bulk *bulk, size_t bytes)
{
    if (!bulk)
        return NULL;
    bulk->bytes = bytes;
    return bulk + 1;
}

static struct bulk *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static struct bulk *remap(struct bulk *bulk, size_t bytes)
{
    void *memory = mremap(bulk, bulk->bytes, bytes, MREMAP_MAYMOVE);

    return memory == MAP_FAILED ? NULL : memory;
}

/* false: there is no such number. */
static bool bytes_of(size_t count, size_t size, size_t *ret_bytes)
{
    return !__builtin_mul_overflow(count, size, ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, sizeof(struct bulk), ret_bytes);
}

void *bulk_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (!bytes_of(count, size, &bytes))
        return NULL;
    return with_size(is_mapped(bytes) ? map(bytes) : calloc(1, bytes), bytes);
}

/* From the heap to a mapping, or back. */
static void *move(struct bulk *old, size_t bytes)
{
    void *memory = bulk_calloc(1, bytes - sizeof(struct bulk));
    size_t kept = old->bytes < bytes ? old->bytes : bytes;

    if (!memory)
        return NULL;
    memcpy(memory, old + 1, kept - sizeof(struct bulk));
    bulk_free(old + 1);
    return memory;
}

void *bulk_resize(void *memory, size_t count, size_t size)
{
    struct bulk *old = bulk_of(memory);
    size_t bytes;

    if (!old)
        return bulk_calloc(count, size);
    if (!bytes_of(count, size, &bytes))
        return NULL;
    if (is_mapped(old->bytes) != is_mapped(bytes))
        return move(old, bytes);
    return with_size(is_mapped(bytes) ? remap(old, bytes) : realloc(old, bytes), bytes);
}

void *bulk_grow(void *memory, size_t count, size_t *capacity, size_t first, size_t size)
{
    size_t wanted = *capacity ? *capacity * 2 : first;
    void *grown;

    if (count < *capacity)
        return memory;
    grown = bulk_resize(memory, wanted, size);
    if (grown)
        *capacity = wanted;
    return grown;
}

void bulk_free(void *memory)
{
    struct bulk *bulk = bulk_of(memory);

    if (bulk && is_mapped(bulk->bytes))
        munmap(bulk, bulk->bytes);
    else
        free(bulk);
}

/* Room for a string of `bytes` bytes, in a chunk of its own if it is very long. */
static struct bulk_text_chunk *chunk_with(struct bulk_text *text, size_t bytes)
{
    struct bulk_text_chunk *chunk = text->last;
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

    if (chunk && chunk->bytes - chunk->used >= bytes)
        return chunk;
    chunk = bulk_calloc(1, sizeof(*chunk) + room);
    if (!chunk)
        return NULL;
    chunk->before = text->last;
    chunk->bytes = room;
    text->last = chunk;
    return chunk;
}

char *bulk_text_copy(struct bulk_text *text, const char *string)
{
    size_t bytes = strlen(string) + 1;
    struct bulk_text_chunk *chunk = chunk_with(text, bytes);
    char *copy;

    if (!chunk)
        return NULL;
    copy = memcpy(chunk->text + chunk->used, string, bytes);
    chunk->used += bytes;
    return copy;
}

void bulk_text_finish(struct bulk_text *text)
{
    while (text->last) {
        struct bulk_text_chunk *before = text->last->before;

        bulk_free(text->last);
        text->last = before;
    }
}
