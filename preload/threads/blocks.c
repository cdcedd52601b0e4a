#include "preload/threads/blocks.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/threads/reclaim.h"

enum {
    RECLAIM_AT_FIRST = 64,
    REFUSED_RETRY = 1024, /* a power of 2 */
#ifdef MADV_POPULATE_WRITE
    POPULATE_WRITE = MADV_POPULATE_WRITE,
#else
    POPULATE_WRITE = 23, /* Linux 5.14 */
#endif
};

static struct segment_header *segment;
/* Where the segment has its blocks. Not to be read there: it may be a file, which others can cut short. */
static uint64_t blocks_start;
static uint64_t block_bytes;
static uint32_t block_capacity;
static _Atomic uint64_t *owners;
static bool is_file;
static _Atomic uint32_t refused; /* times that there was no space for a block, or it was not asked for */
static _Atomic uint32_t opened;  /* blocks that are in bounds */

void blocks_init(struct segment_header *given_segment, bool given_is_file)
{
    segment = given_segment;
    blocks_start = segment->blocks;
    block_bytes = segment->block_bytes;
    block_capacity = segment->block_capacity;
    owners = (_Atomic uint64_t *)((uint8_t *)segment + segment->owners);
    is_file = given_is_file;
    segment->reclaim_at = RECLAIM_AT_FIRST;
}

static uint8_t *block_at(uint32_t index)
{
    return (uint8_t *)segment + blocks_start + index * block_bytes;
}

uint32_t blocks_opened(void)
{
    return atomic_load(&opened);
}

/* Opens the blocks below `count` to this process: until then they are out of bounds, so that a program that locks all
 * its memory (mlockall) pays for what is used. */
static bool open_below(uint32_t count)
{
    uint32_t seen = atomic_load(&opened);

    if (count <= seen)
        return true;
    if (cpu_syscall(SYS_mprotect, (long)block_at(0), (long)(count * block_bytes), PROT_READ | PROT_WRITE, 0, 0, 0) != 0)
        return false;
    while (seen < count && !atomic_compare_exchange_weak(&opened, &seen, count))
        ;
    return true;
}

/* Takes the first block below `end` that nobody owns. Its index, or `end`. */
static uint32_t claim_below(uint32_t end, uint64_t owner)
{
    for (uint32_t i = 0; i < end; i++) {
        uint64_t nobody = 0;

        if (atomic_load(&owners[i]) == 0 && atomic_compare_exchange_strong(&owners[i], &nobody, owner))
            return i;
    }
    return end;
}

/* Dead processes are looked for whenever the number of blocks has doubled, so that it costs each process a constant. */
static void reclaim_in_time(uint32_t count)
{
    _Atomic uint32_t *reclaim_at = (_Atomic uint32_t *)&segment->reclaim_at;
    uint32_t live;

    if (count < atomic_load(reclaim_at) || !open_below(count))
        return;
    live = reclaim_blocks(segment, count);
    atomic_store(reclaim_at, live * 2 > RECLAIM_AT_FIRST ? live * 2 : RECLAIM_AT_FIRST);
}

void blocks_reclaim(void)
{
    uint32_t count = atomic_load((_Atomic uint32_t *)&segment->block_count);

    if (open_below(count))
        reclaim_blocks(segment, count);
}

/* Opens a block, and has space for it on the disk: a write to a hole in the file for which there is none would raise
 * SIGBUS. Kernels before 5.14 cannot tell; they have what was reserved at the start. */
static bool open_block(uint32_t index)
{
    if (!open_below(index + 1))
        return false;
    return !is_file || cpu_syscall(SYS_madvise, (long)block_at(index), (long)block_bytes, POPULATE_WRITE, 0, 0, 0) == 0;
}

/* Where there is no space now, there will be none for the next call. */
static bool is_to_be_tried(void)
{
    uint32_t before = atomic_load(&refused);

    return before == 0 || atomic_fetch_add(&refused, 1) % REFUSED_RETRY == 0;
}

static uint8_t *refuse_block(uint32_t index)
{
    atomic_store(&owners[index], 0);
    atomic_fetch_add(&refused, 1);
    return NULL;
}

static void begin_block(uint8_t *block)
{
    uint64_t *words = (uint64_t *)block;

    ++words[BLOCK_EPOCH];
    words[BLOCK_ENDING] = 0;
    __atomic_store_n(&words[BLOCK_THREAD], (uint64_t)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0), __ATOMIC_SEQ_CST);
}

uint8_t *blocks_keep(uint8_t *block, uint64_t owner)
{
    uint64_t index = ((uint64_t)(block - (uint8_t *)segment) - blocks_start) / block_bytes;

    if (atomic_load(&owners[index]) != owner)
        return NULL;
    begin_block(block);
    return block;
}

uint8_t *blocks_claim(uint64_t owner)
{
    _Atomic uint32_t *block_count = (_Atomic uint32_t *)&segment->block_count;
    uint32_t count = atomic_load(block_count);
    uint32_t index;

    if (!is_to_be_tried())
        return NULL;
    index = claim_below(count, owner);
    if (index == count) {
        reclaim_in_time(count);
        index = claim_below(block_capacity, owner);
    }
    if (index == block_capacity)
        return NULL;
    if (!open_block(index))
        return refuse_block(index);
    atomic_store(&refused, 0);
    while (count <= index && !atomic_compare_exchange_weak(block_count, &count, index + 1))
        ;
    begin_block(block_at(index));
    return block_at(index);
}
