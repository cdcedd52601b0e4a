/* Tuples of label values that have been seen, in the segment: shared by all threads and processes. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_TUPLES_H
#define CALLMETER_PRELOAD_CALLS_TUPLES_H

#include "preload/records/hot.h"

/* A table (struct segment_values), as this process sees it. Read-only. */
struct tuples {
    struct segment_values *values; /* NULL: there is none */
    _Atomic uint32_t *slots;
    uint64_t *keys;
    uint32_t slot_mask;
    uint32_t key_words;
    uint32_t capacity;
};

/* The table at an offset of the segment; 0: none. Context: startup. */
static inline struct tuples tuples_of(struct segment_header *segment, uint64_t offset)
{
    char *start = (char *)segment;
    struct segment_values *values = (struct segment_values *)(start + offset);

    if (offset == 0)
        return (struct tuples){0};
    return (struct tuples){
        .values = values,
        .slots = (_Atomic uint32_t *)(start + values->slots),
        .keys = (uint64_t *)(start + values->keys),
        .slot_mask = values->slot_mask,
        .key_words = values->key_bytes / 8,
        .capacity = values->capacity,
    };
}

/* Looked for in one pass of loads that depend on each other as little as can be: rdtsc waits for them. */
static inline uint64_t tuples_hash(const uint64_t *key, uint32_t words)
{
    static const uint64_t factors[8] = {
        UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xBF58476D1CE4E5B9), UINT64_C(0x94D049BB133111EB),
        UINT64_C(0xC2B2AE3D27D4EB4F), UINT64_C(0x165667B19E3779F9), UINT64_C(0xD6E8FEB86659FD93),
        UINT64_C(0xFF51AFD7ED558CCD), UINT64_C(0xC4CEB9FE1A85EC53),
    };
    uint64_t hash = 0;

    for (;;) {
        uint32_t group = words < 8 ? words : 8;

        for (uint32_t i = 0; i < group; i++)
            hash += key[i] * factors[i];
        words -= group;
        if (words == 0)
            break;
        key += group;
        hash = hash << 23 | hash >> 41;
    }
    return hash ^ hash >> 32; /* the low bits of a product depend on low bits only */
}

/* True if the key is noted there; any place may be asked for. */
static inline bool tuples_is_at(const struct tuples *tuples, uint64_t place, const uint64_t *key, uint32_t words)
{
    const uint64_t *known = tuples->keys + place * tuples->key_words;
    uint64_t differing = 0;

    if (place >= __atomic_load_n(&tuples->values->count, __ATOMIC_ACQUIRE))
        return false;

    for (uint32_t i = 0; i < words; i++)
        differing |= known[i] ^ key[i];
    return differing == 0;
}

/* The place of a key, or `capacity`; *ret_slot is then where it would be noted. There are more slots than places. */
static inline uint32_t tuples_look_up(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash,
                                      uint32_t *ret_slot)
{
    uint32_t slot = (uint32_t)hash & tuples->slot_mask;

    for (;; slot = (slot + 1) & tuples->slot_mask) {
        uint32_t noted = atomic_load_explicit(&tuples->slots[slot], memory_order_acquire);

        if (noted == 0 || noted > tuples->capacity) {
            *ret_slot = slot;
            return tuples->capacity;
        }
        if (tuples_is_at(tuples, noted - 1, key, words))
            return noted - 1;
    }
}

/* Adds a key that was not found: its place, or `capacity` if there is none left, if the thread that adds another one
 * does not come to an end, or if a filter forbids what it takes. */
uint32_t tuples_add(const struct tuples *tuples, const uint64_t *key, uint32_t words, uint64_t hash);

/* The place of a key, whose words behind the first `words` are 0: that of an equal one, else the next free one, which
 * it gets, else `capacity`. Two keys that agree in as many words are equal: the last field there says how long it is.
 */
static inline uint32_t tuples_find(const struct tuples *tuples, const uint64_t *key, uint32_t words)
{
    uint64_t hash = tuples_hash(key, words);
    uint32_t slot = 0;
    uint32_t place = tuples_look_up(tuples, key, words, hash, &slot);

    if (place < tuples->capacity)
        return place;
    if (__atomic_load_n(&tuples->values->count, __ATOMIC_ACQUIRE) < place)
        place = tuples_add(tuples, key, words, hash);
    if (place == tuples->capacity && !__atomic_load_n(&tuples->values->is_overflowed, __ATOMIC_RELAXED))
        __atomic_store_n(&tuples->values->is_overflowed, 1, __ATOMIC_RELAXED);
    return place;
}

#endif
