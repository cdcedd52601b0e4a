#include "preload/records/counters.h"

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
static ptrdiff_t errno_offset;

void counters_init(struct segment_header *given_segment, ptrdiff_t given_errno_offset, bool given_is_file)
{
    segment = given_segment;
    blocks_start = segment->blocks;
    block_bytes = segment->block_bytes;
    block_capacity = segment->block_capacity;
    owners = (_Atomic uint64_t *)((uint8_t *)segment + segment->owners);
    is_file = given_is_file;
    errno_offset = given_errno_offset;
    segment->reclaim_at = RECLAIM_AT_FIRST;
}

static uint8_t *block_at(uint32_t index)
{
    return (uint8_t *)segment + blocks_start + index * block_bytes;
}

uint32_t counters_opened(void)
{
    return atomic_load(&opened);
}

/* Opens the blocks below `count` to this process: until then they are out of bounds, so that a program that locks all
 * its memory (mlockall) pays for what is used. */
bool counters_open(uint32_t count)
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

    if (count < atomic_load(reclaim_at) || !counters_open(count))
        return;
    live = reclaim_blocks(segment, count);
    atomic_store(reclaim_at, live * 2 > RECLAIM_AT_FIRST ? live * 2 : RECLAIM_AT_FIRST);
}

void counters_reclaim(void)
{
    uint32_t count = atomic_load((_Atomic uint32_t *)&segment->block_count);

    if (counters_open(count))
        reclaim_blocks(segment, count);
}

/* Opens a block, and has space for it on the disk: a write to a hole in the file for which there is none would raise
 * SIGBUS. Kernels before 5.14 cannot tell; they have what was reserved at the start. */
static bool open_block(uint32_t index)
{
    if (!counters_open(index + 1))
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

uint8_t *counters_keep_block(uint8_t *block, uint64_t owner)
{
    uint64_t index = ((uint64_t)(block - (uint8_t *)segment) - blocks_start) / block_bytes;

    if (atomic_load(&owners[index]) != owner)
        return NULL;
    begin_block(block);
    return block;
}

uint8_t *counters_claim_block(uint64_t owner)
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

void counters_add_at(const struct lane *lane, uint64_t cell, uint64_t offset, uint64_t value)
{
    uint8_t *block = *lane->block_ref;

    if (block)
        cpu_add((uint64_t *)(block + cell + offset), value);
    else
        atomic_fetch_add((_Atomic uint64_t *)(block_at(SEGMENT_SHARED_BLOCK) + cell + offset), value);
}

void counters_add(const struct lane *lane, const struct hook *hook, unsigned word, uint64_t value)
{
    counters_add_at(lane, hook->home, (uint64_t)word * 8, value);
}

/* A call that was counted but could not be timed. */
void counters_add_untimed(const struct lane *lane, const struct hook *hook)
{
    counters_add(lane, hook, CELL_STARTED, 1);
    counters_add(lane, hook, CELL_SUCCESS, 1);
}

static unsigned bucket_of(const struct hook *hook, uint64_t ticks)
{
    unsigned bucket = hook->first_bucket[63 - __builtin_clzll(ticks | 1)];

    while (ticks > hook->bounds[bucket])
        bucket++;
    return bucket;
}

/* The counters of two processors differ by a little: what ends before it began took no time. */
static uint64_t not_negative(uint64_t ticks)
{
    return ticks > INT64_MAX ? 0 : ticks;
}

void counters_add_duration_at(const struct lane *lane, const struct hook *hook, uint64_t cell, uint64_t ticks,
                              uint64_t weight)
{
    ticks = not_negative(ticks);
    counters_add_at(lane, cell, CELL_SUM_TICKS * 8, ticks * weight);
    counters_add_at(lane, cell, (CELL_BUCKETS + bucket_of(hook, ticks)) * 8, weight);
}

void counters_add_interval(const struct lane *lane, const struct hook *hook, uint64_t offset, uint64_t ticks)
{
    ticks = not_negative(ticks);
    counters_add_at(lane, hook->home, offset, ticks);
    counters_add_at(lane, hook->home, offset + (1 + bucket_of(hook, ticks)) * 8, 1);
}

uint32_t counters_outcome(const struct hook *hook, uint64_t ret, uint64_t float_ret)
{
    struct condition_input input = {
        .ret = ret,
        .float_ret = float_ret,
        .error_number = *(const int *)(cpu_thread_pointer() + (uintptr_t)errno_offset),
    };

    if (condition_holds(&hook->throttled_when, &input))
        return CELL_THROTTLED * 8;
    if (condition_holds(&hook->error_when, &input))
        return CELL_ERROR * 8;
    return CELL_SUCCESS * 8;
}
