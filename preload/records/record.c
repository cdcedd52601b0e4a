#include "preload/records/record.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/x86_64/cpu.h"

enum {
    FIRST_CHUNKS = 16,
    ARENA_CHUNKS_MAX = 65536, /* 4 million calls in progress; address space only */
    ARENA_CHUNKS_MIN = 64,
    ARENA_SHARE = 64, /* at most one part in so many of a limited address space */
};

/* In .bss, since conservative garbage collectors look there for pointers, and a record may hold the only one in the
 * caller's rbx. */
static uint8_t first_chunks[FIRST_CHUNKS][CHUNK_BYTES] __attribute__((aligned(CHUNK_BYTES)));
static uint8_t *arena;
static uint32_t arena_chunks;
static _Atomic uint32_t chunks_used;

static struct chunk *chunk_at(uint32_t index)
{
    if (index < FIRST_CHUNKS)
        return (struct chunk *)first_chunks[index];
    if (index - FIRST_CHUNKS < arena_chunks)
        return (struct chunk *)(arena + (size_t)(index - FIRST_CHUNKS) * CHUNK_BYTES);
    return NULL;
}

/* Where address space is limited, what is only reserved is missing to the program. */
static uint32_t arena_chunks_wanted(void)
{
    struct rlimit limit;
    uint64_t share;

    if (cpu_syscall(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return ARENA_CHUNKS_MAX;
    share = limit.rlim_cur / ARENA_SHARE / CHUNK_BYTES;
    if (share > ARENA_CHUNKS_MAX)
        return ARENA_CHUNKS_MAX;
    return share < ARENA_CHUNKS_MIN ? ARENA_CHUNKS_MIN : (uint32_t)share;
}

void records_init(void)
{
    for (uint32_t chunks = arena_chunks_wanted(); chunks >= ARENA_CHUNKS_MIN; chunks /= 2) {
        long address = cpu_syscall(SYS_mmap, 0, (long)((size_t)(chunks + 1) * CHUNK_BYTES), PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (address > -4096 && address < 0)
            continue;
        arena = (uint8_t *)address;
        arena_chunks = chunks;
        return;
    }
}

/* The arena is out of bounds up to here, so that a program that locks all its memory (mlockall) pays for what is used.
 */
static bool chunk_open(struct chunk *chunk)
{
    return !forbidden_is(SYS_mprotect) &&
           cpu_syscall(SYS_mprotect, (long)chunk, CHUNK_BYTES, PROT_READ | PROT_WRITE, 0, 0, 0) == 0;
}

struct chunk *chunk_claim(struct lane *lane, bool is_seats)
{
    uint32_t index = atomic_load(&chunks_used);
    struct chunk *chunk;

    do {
        chunk = chunk_at(index);
        if (!chunk || (index >= FIRST_CHUNKS && !chunk_open(chunk)))
            return NULL;
    } while (!atomic_compare_exchange_strong(&chunks_used, &index, index + 1));
    for (unsigned i = 1; i <= CHUNK_RECORDS; i++)
        ((struct record *)chunk)[i].place = is_seats ? RECORD_PLACE_SEAT_FREE : RECORD_PLACE_POOL;
    chunk->free = is_seats ? 0 : ~UINT64_C(1);
    chunk->lane = lane;
    return chunk;
}

static bool is_free(const struct chunk *chunk, const struct record *record)
{
    return record->place == RECORD_PLACE_SEAT_FREE || (chunk->free & record_bit(record));
}

uint64_t chunk_used(const struct chunk *chunk)
{
    uint64_t used = 0;

    for (unsigned i = 1; i <= CHUNK_RECORDS; i++)
        if (!is_free(chunk, (const struct record *)chunk + i))
            used |= UINT64_C(1) << i;
    return used;
}

void record_free(struct record *record)
{
    struct chunk *chunk = record_chunk(record);

    atomic_store(&record->state, RECORD_LIVE);
    atomic_signal_fence(memory_order_seq_cst);
    if (record->place == RECORD_PLACE_POOL)
        cpu_or(&chunk->free, record_bit(record));
    else
        *(volatile uint8_t *)&record->place = RECORD_PLACE_SEAT_FREE;
}

static bool is_record_address(uint64_t address)
{
    uint64_t first = (uint64_t)first_chunks;
    uint64_t low = (uint64_t)arena;
    uint64_t used = atomic_load(&chunks_used);

    if (address % RECORD_BYTES != 0 || address % CHUNK_BYTES == 0)
        return false;
    return (address >= first && address < first + sizeof(first_chunks)) ||
           (address >= low && used > FIRST_CHUNKS && address < low + (used - FIRST_CHUNKS) * CHUNK_BYTES);
}

struct record *record_at(uint64_t address)
{
    struct record *record = (struct record *)address;
    struct chunk *chunk;

    if (!is_record_address(address))
        return NULL;
    chunk = record_chunk(record);
    if (!chunk->lane || is_free(chunk, record) || (chunk->remote & record_bit(record)))
        return NULL;
    return record;
}
