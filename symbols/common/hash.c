#include "symbols/common/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "symbols/common/bulk.h"

int hash_init(struct hash *hash, size_t capacity)
{
    size_t buckets = 16;

    memset(hash, 0, sizeof(*hash));
    if (capacity >= HASH_END)
        return -ENOMEM;
    while (buckets < capacity * 2)
        buckets *= 2;
    hash->buckets = bulk_calloc(buckets, sizeof(*hash->buckets));
    hash->next = bulk_calloc(capacity + 1, sizeof(*hash->next));
    hash->hashes = bulk_calloc(capacity + 1, sizeof(*hash->hashes));
    if (!hash->buckets || !hash->next || !hash->hashes) {
        hash_finish(hash);
        return -ENOMEM;
    }
    hash->mask = buckets - 1;
    hash->capacity = (uint32_t)capacity;
    return 0;
}

void hash_finish(struct hash *hash)
{
    bulk_free(hash->buckets);
    bulk_free(hash->next);
    bulk_free(hash->hashes);
    memset(hash, 0, sizeof(*hash));
}

void hash_add(struct hash *hash, uint64_t key, uint32_t position)
{
    uint32_t *bucket = &hash->buckets[key & hash->mask];

    assert(position < hash->capacity);
    hash->hashes[position] = key;
    hash->next[position] = *bucket;
    *bucket = position + 1;
}

/* Skips what merely shares the bucket. `link` is position + 1. */
static uint32_t hash_skip(const struct hash *hash, uint32_t link, uint64_t key)
{
    while (link && hash->hashes[link - 1] != key)
        link = hash->next[link - 1];
    return link ? link - 1 : HASH_END;
}

uint32_t hash_first(const struct hash *hash, uint64_t key)
{
    if (!hash->capacity)
        return HASH_END;
    return hash_skip(hash, hash->buckets[key & hash->mask], key);
}

uint32_t hash_next(const struct hash *hash, uint32_t position)
{
    assert(position < hash->capacity);
    return hash_skip(hash, hash->next[position], hash->hashes[position]);
}

/* FNV-1a, its bits mixed once more since only the low ones choose the bucket. */
uint64_t hash_bytes(const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash ^ (hash >> 32);
}
