/* Chunks of records: where they come from, and which addresses are records at all. Context of everything: hot (no
 * libc). */
#ifndef CALLMETER_PRELOAD_RECORDS_RECORD_H
#define CALLMETER_PRELOAD_RECORDS_RECORD_H

#include "preload/records/hot.h"

/* Reserves address space for chunks beyond the first few, which lie in .bss. Without it only those are there. Context:
 * startup. */
void records_init(void);

/* A chunk that belonged to nobody, with all records free, or NULL when memory has run out. */
struct chunk *chunk_claim(struct lane *lane, bool is_seats);

/* Those of its records that are not free. */
uint64_t chunk_used(const struct chunk *chunk);

/* By its lane's own thread. It is marked live: the trampoline need not do it. */
void record_free(struct record *record);

/* The record at an address that may be anything, or NULL if none that is in use is there. Reads only callmeter's own
 * memory. */
struct record *record_at(uint64_t address);

/* True if the start is counted in the hook's home cell, and no outcome is. */
static inline bool record_is_begun(const struct record *record)
{
    const void *target = *(void *const volatile *)&record->target;

    if (target == (void *)RECORD_ENDED)
        return false;
    return !(record->hook->flags & HOOK_FLAG_LABELS) || target != record->hook->original;
}

static inline struct chunk *record_chunk(const struct record *record)
{
    return (struct chunk *)((uintptr_t)record & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static inline uint64_t record_bit(const struct record *record)
{
    return UINT64_C(1) << ((uintptr_t)record / RECORD_BYTES % 64);
}

#endif
