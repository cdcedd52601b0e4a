#include "preload/callmeter/writer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BLOCKS_MAX = 32768,
    BLOCKS_MIN = 64,
    PAGE = 4096,
};

#define MAPPING_MAX (UINT64_C(1) << 38)

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
    header->text = align(header->resources + (uint64_t)size->resources * sizeof(struct segment_resource), 64);
    header->text_bytes = align(size->text_bytes + 16, 8);
    header->text_used = 8; /* offset 0 of the arena is the empty text */
    header->owners = header->text + header->text_bytes;
    header->block_capacity = blocks;
    header->blocks = align(header->owners + (uint64_t)blocks * sizeof(uint64_t), PAGE);
    header->block_bytes = align(SEGMENT_BLOCK_HEADER_BYTES + size->cell_bytes + 1, PAGE);
    header->segment_bytes = header->blocks + blocks * header->block_bytes;
}

int writer_create(const struct writer_size *size, double seconds_per_tick, struct segment_header **ret_segment)
{
    struct segment_header header;

    for (uint32_t blocks = BLOCKS_MAX; blocks >= BLOCKS_MIN; blocks /= 2) {
        void *memory;

        lay_out(&header, size, blocks);
        if (header.segment_bytes > MAPPING_MAX)
            continue;
        memory = mmap(NULL, header.segment_bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            continue;
        madvise(memory, header.segment_bytes, MADV_DONTDUMP);
        if (mprotect(memory, header.blocks + header.block_bytes, PROT_READ | PROT_WRITE) != 0) {
            munmap(memory, header.segment_bytes);
            continue;
        }
        header.seconds_per_tick = seconds_per_tick;
        header.block_count = SEGMENT_SHARED_BLOCK + 1;
        memcpy(memory, &header, sizeof(header));
        ((uint64_t *)((char *)memory + header.owners))[SEGMENT_SHARED_BLOCK] = SEGMENT_NO_OWNER;
        *ret_segment = memory;
        return 0;
    }
    return -ENOMEM;
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
