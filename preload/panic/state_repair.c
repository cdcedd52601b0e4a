#include "preload/panic/state_repair.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/machine/x86_64/cpu.h"
#include "preload/threads/blocks.h"
#include "server/segment/segment.h"

enum {
    PAGE = 4096,
    RUN_MAX = 256, /* pages repaired at once */
    TRIES_MAX = 1 << 12,
#ifdef MADV_POPULATE_WRITE
    POPULATE_WRITE = MADV_POPULATE_WRITE,
#else
    POPULATE_WRITE = 23, /* Linux 5.14 */
#endif
};

static uintptr_t base; /* 0: nothing is watched */
static uintptr_t end;
static uint64_t tables_bytes;
static const uint8_t *tables; /* as they were at the start, and owners such that nobody takes a block any more */
static _Atomic uint32_t repairs;
static _Atomic uint32_t lock;

static void *map(uint64_t bytes, long flags)
{
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

    return address < 0 && address > -4096 ? NULL : (void *)address;
}

static void copy_words(uint64_t *to, const uint64_t *from, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / 8; i++)
        to[i] = from[i];
}

void state_watch(struct segment_header *segment)
{
    uint64_t *copy = map(segment->blocks, MAP_PRIVATE);

    if (!copy)
        return;
    copy_words(copy, (const uint64_t *)segment, segment->blocks);
    /* Who owns a block is forgotten with the page: one that is given away twice would lose counts. Without a block one
     * counts in the shared one. */
    for (uint32_t i = 0; i < segment->block_capacity; i++)
        copy[segment->owners / 8 + i] = SEGMENT_NO_OWNER;
    tables = (const uint8_t *)copy;
    tables_bytes = segment->blocks;
    end = (uintptr_t)segment + segment->segment_bytes;
    base = (uintptr_t)segment;
}

uint32_t state_repairs(void)
{
    return atomic_load(&repairs);
}

/* A page that cannot be written. Where the kernel has no such advice, it is as the fault says. */
static bool is_bad(uintptr_t page, bool otherwise)
{
    long result = cpu_syscall(SYS_madvise, (long)page, PAGE, POPULATE_WRITE, 0, 0, 0);

    return result == -EFAULT || (result == -EINVAL && otherwise);
}

/* Of the blocks that are in use the header said how many there are: so many as this process has opened, at least. */
static void restore_header(struct segment_header *header)
{
    uint32_t opened = blocks_opened();

    if (header->block_count < opened)
        header->block_count = opened;
}

/* Puts memory in place of the pages, in one step: another thread may be at work on them. */
static bool replace(uintptr_t page, uint32_t count)
{
    uint64_t bytes = (uint64_t)count * PAGE;
    uint64_t offset = page - base;
    uint64_t known = offset < tables_bytes ? tables_bytes - offset : 0;
    void *memory = map(bytes, MAP_SHARED);
    long result;

    if (!memory)
        return false;
    copy_words(memory, (const uint64_t *)(tables + offset), known < bytes ? known : bytes);
    if (page == base)
        restore_header(memory);
    result =
        cpu_syscall(SYS_mremap, (long)memory, (long)bytes, (long)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (long)page, 0);
    if (result < 0 && result > -4096)
        return false;
    atomic_fetch_add(&repairs, count);
    return true;
}

static bool repair_from(uintptr_t page, bool otherwise)
{
    uint32_t count = 1;

    if (!is_bad(page, otherwise))
        return true; /* another thread was faster */
    while (count < RUN_MAX && page + count * (uintptr_t)PAGE < end && is_bad(page + count * (uintptr_t)PAGE, false))
        count++;
    return replace(page, count);
}

/* A thread that was stopped in here, or a process that forked meanwhile, does not hold the others up for ever. */
static void take_lock(void)
{
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        uint32_t is_free = 0;

        if (atomic_compare_exchange_strong(&lock, &is_free, 1))
            return;
        cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
}

bool state_repair(const void *address)
{
    uintptr_t page = (uintptr_t)address & ~(uintptr_t)(PAGE - 1);
    struct segment_header *segment = (struct segment_header *)base;
    bool is_repaired;

    if (!base || page < base || page >= end)
        return false;
    take_lock();
    /* The header first, which says where everything is. */
    is_repaired = repair_from(base, page == base) && (page == base || repair_from(page, true));
    atomic_store(&lock, 0);
    if (is_repaired)
        __atomic_fetch_add(&segment->state_errors[STATE_ERROR_DAMAGED], 1, __ATOMIC_RELAXED);
    return is_repaired;
}
