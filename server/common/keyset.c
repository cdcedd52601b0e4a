/* A set of keys made of several texts: open addressing, FNV-1a. */
#include "server/common/keyset.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "server/common/pages.h"

void key_set(struct key *key, int part, const char *text)
{
    key->parts[part] = text;
    key->lengths[part] = strlen(text);
}

void key_end(struct key *key, int part)
{
    for (; part < KEY_PARTS; part++)
        key_set(key, part, "");
}

static size_t slots_for(size_t key_count)
{
    size_t slot_count = 16;

    while (slot_count < key_count * 2)
        slot_count *= 2;
    return slot_count;
}

int keyset_init(struct keyset *set, size_t key_count)
{
    size_t slot_count = slots_for(key_count);
    size_t bytes = key_count * sizeof(struct key) + slot_count * sizeof(uint32_t);
    void *memory = pages_alloc(bytes);

    if (!memory)
        return -ENOMEM;
    *set = (struct keyset){.keys = memory, .slot_count = slot_count, .memory = memory, .memory_bytes = bytes};
    set->slots = (void *)(set->keys + key_count);
    return 0;
}

void keyset_finish(struct keyset *set)
{
    pages_free(set->memory, set->memory_bytes);
    *set = (struct keyset){0};
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return (hash ^ 0xFF) * UINT64_C(0x100000001b3); /* "ab","c" is not "a","bc" */
}

static uint64_t hash_key(const struct key *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < KEY_PARTS; i++)
        hash = hash_bytes(hash, key->parts[i], key->lengths[i]);
    return hash ^ hash >> 32;
}

static bool keys_are_equal(const struct key *a, const struct key *b)
{
    for (int i = 0; i < KEY_PARTS; i++)
        if (a->lengths[i] != b->lengths[i] ||
            (a->parts[i] != b->parts[i] && memcmp(a->parts[i], b->parts[i], a->lengths[i]) != 0))
            return false;
    return true;
}

uint32_t keyset_insert(struct keyset *set, uint32_t index)
{
    size_t mask = set->slot_count - 1;
    size_t slot = hash_key(&set->keys[index]) & mask;

    for (; set->slots[slot]; slot = (slot + 1) & mask)
        if (keys_are_equal(&set->keys[set->slots[slot] - 1], &set->keys[index]))
            return set->slots[slot] - 1;
    set->slots[slot] = index + 1;
    return index;
}
