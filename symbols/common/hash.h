/* A multimap from 64-bit hashes to small numbers, for looking up positions of an array that the caller keeps.
 *
 * It holds no keys: whoever asks compares what stands at the position. */
#ifndef CALLMETER_SYMBOLS_COMMON_HASH_H
#define CALLMETER_SYMBOLS_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
    HASH_END = UINT32_MAX
};

/* Embedded by the caller; zeroed, it is empty and may be asked and finished. */
struct hash {
    uint32_t *buckets; /* position + 1, or 0 */
    uint32_t *next;    /* by position: position + 1, or 0 */
    uint64_t *hashes;  /* by position */
    uint64_t mask;
    uint32_t capacity;
};

/* Makes room for the positions 0 to capacity - 1. -ENOMEM. Context: startup. */
int hash_init(struct hash *hash, size_t capacity);

void hash_finish(struct hash *hash);

/* Files `position`, once, under `key`. Of equal keys the one added last is found first. */
void hash_add(struct hash *hash, uint64_t key, uint32_t position);

/* The first position under that key, and the one after `position`; HASH_END if there is none. Distinct keys never mix.
 */
uint32_t hash_first(const struct hash *hash, uint64_t key);
uint32_t hash_next(const struct hash *hash, uint32_t position);

/* Hash of `length` bytes. Not for secrets; chains that an attacker lengthens cost time alone. */
uint64_t hash_bytes(const void *bytes, size_t length);

#endif
