#include "preload/control/segment/writer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/control/memory/memory_limits.h"
#include "preload/control/segment/space.h"

enum {
    BLOCKS_MAX = 32768,
    BLOCKS_MIN = 64,
    PAGE = 4096,
};

#define MAPPING_MAX     (UINT64_C(1) << 38)
#define FILE_BLOCKS_MAX (UINT64_C(1) << 30) /* bytes of all blocks in a file */

static uint64_t align(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

static void lay_out(struct segment_header *header, const struct writer_size *size, uint32_t blocks)
{
    memset(header, 0, sizeof(*header));
    header->magic = SEGMENT_MAGIC;
    header->version = SEGMENT_VERSION;
    header->header_bytes = sizeof(*header);
    header->function_capacity = size->functions;
    header->series_capacity = size->series;
    header->functions = align(sizeof(*header), 64);
    header->series = align(header->functions + (uint64_t)size->functions * sizeof(struct segment_function), 64);
    header->resource_count = size->resources;
    header->resources = align(header->series + (uint64_t)size->series * sizeof(struct segment_series), 64);
    header->panics = align(header->resources + (uint64_t)size->resources * sizeof(struct segment_resource), 64);
    header->recovered = header->panics + ((uint64_t)size->functions + 1) * SEGMENT_SIGNALS_MAX * sizeof(uint64_t);
    header->text = align(header->recovered + (uint64_t)size->functions * sizeof(uint64_t), 64);
    header->text_bytes = align(size->text_bytes + 16, 8);
    header->text_used = 8; /* offset 0 of the arena is the empty text */
    header->owners = header->text + header->text_bytes;
    header->block_capacity = blocks;
    header->blocks = align(header->owners + (uint64_t)blocks * sizeof(uint64_t), PAGE);
    header->block_bytes = align(SEGMENT_BLOCK_HEADER_BYTES + size->cell_bytes + 1, PAGE);
    header->segment_bytes = header->blocks + blocks * header->block_bytes;
}

uint32_t writer_file_blocks(uint64_t block_bytes)
{
    uint64_t count = FILE_BLOCKS_MAX / block_bytes;

    return count < BLOCKS_MIN ? BLOCKS_MIN : count > BLOCKS_MAX ? BLOCKS_MAX : (uint32_t)count;
}

/* -errno. Blocks are opened one by one as they are needed, but for the shared one. */
static int map(const struct segment_header *header, int fd, void **ret_memory)
{
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    void *memory;
    int result = 0;

    if (header->segment_bytes > MAPPING_MAX)
        return -ENOMEM;
    if (fd >= 0)
        result = space_reserve(fd, header->segment_bytes, header->blocks + header->block_bytes);
    if (result != 0)
        return result;
    memory = mmap(NULL, header->segment_bytes, PROT_NONE, flags, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    madvise(memory, header->segment_bytes, MADV_DONTDUMP);
    if (mprotect(memory, header->blocks + header->block_bytes, PROT_READ | PROT_WRITE) != 0) {
        result = -errno;
        munmap(memory, header->segment_bytes);
        return result;
    }
    *ret_memory = memory;
    return 0;
}

int writer_create(const struct writer_size *size, double seconds_per_tick, int fd, struct segment_header **ret_segment)
{
    struct segment_header header;
    uint32_t blocks = BLOCKS_MAX;
    void *memory = NULL;
    int result;

    lay_out(&header, size, blocks);
    if (fd >= 0)
        blocks = writer_file_blocks(header.block_bytes);
    blocks = memory_limits_blocks(blocks, header.block_bytes);
    do {
        lay_out(&header, size, blocks);
        result = map(&header, fd, &memory);
        blocks /= 2;
    } while (result != 0 && blocks >= BLOCKS_MIN);
    if (result != 0)
        return result;
    header.seconds_per_tick = seconds_per_tick;
    header.block_count = SEGMENT_SHARED_BLOCK + 1;
    memcpy(memory, &header, sizeof(header));
    ((uint64_t *)((char *)memory + header.owners))[SEGMENT_SHARED_BLOCK] = SEGMENT_NO_OWNER;
    *ret_segment = memory;
    return 0;
}

uint64_t writer_bytes(struct segment_header *segment, const void *bytes, size_t count)
{
    uint64_t offset = segment->text + segment->text_used;

    if (count > segment->text_bytes - segment->text_used)
        return segment->text;
    memcpy((char *)segment + offset, bytes, count);
    segment->text_used = align(segment->text_used + count, 8);
    return offset;
}

uint64_t writer_reserve(struct segment_header *segment, uint64_t count)
{
    uint64_t offset = segment->text + segment->text_used;

    if (count > segment->text_bytes - segment->text_used)
        return segment->text;
    segment->text_used = align(segment->text_used + count, 8);
    return offset;
}

uint64_t writer_text(struct segment_header *segment, const char *text)
{
    return writer_bytes(segment, text, strlen(text) + 1);
}

uint32_t writer_add_function(struct segment_header *segment, const struct segment_function *function)
{
    uint32_t index = segment->function_count;
    struct segment_function *table = (struct segment_function *)((char *)segment + segment->functions);

    if (index == segment->function_capacity)
        return UINT32_MAX;
    table[index] = *function;
    __atomic_store_n(&segment->function_count, index + 1, __ATOMIC_RELEASE);
    return index;
}

uint32_t writer_add_series(struct segment_header *segment, const struct segment_series *series)
{
    uint32_t index = segment->series_count;
    struct segment_series *table = (struct segment_series *)((char *)segment + segment->series);

    if (index == segment->series_capacity)
        return UINT32_MAX;
    table[index] = *series;
    __atomic_store_n(&segment->series_count, index + 1, __ATOMIC_RELEASE);
    return index;
}
