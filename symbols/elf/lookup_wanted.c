#include "symbols/elf/lookup_wanted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/elf/demangle.h"

int lookup_wanted_init(struct lookup_wanted *wanted, size_t capacity)
{
    memset(wanted, 0, sizeof(*wanted));
    wanted->keys = calloc(capacity + 1, sizeof(*wanted->keys));
    wanted->lengths = calloc(capacity + 1, sizeof(*wanted->lengths));
    if (!wanted->keys || !wanted->lengths || hash_init(&wanted->hash, capacity) < 0) {
        lookup_wanted_finish(wanted);
        return -ENOMEM;
    }
    wanted->capacity = capacity;
    return 0;
}

void lookup_wanted_finish(struct lookup_wanted *wanted)
{
    hash_finish(&wanted->hash);
    free(wanted->keys);
    free(wanted->lengths);
    memset(wanted, 0, sizeof(*wanted));
}

static bool lookup_wanted_has(const struct lookup_wanted *wanted, const char *key, size_t length)
{
    uint32_t i = hash_first(&wanted->hash, hash_bytes(key, length));

    for (; i != HASH_END; i = hash_next(&wanted->hash, i)) {
        if (wanted->lengths[i] == length && memcmp(wanted->keys[i], key, length) == 0)
            return true;
    }
    return false;
}

void lookup_wanted_add(struct lookup_wanted *wanted, const char *name)
{
    const char *key;
    size_t length;

    if (demangle_is_mangled(name))
        return;
    if (!demangle_key(name, &key, &length)) {
        wanted->is_everything = true;
        return;
    }
    if (wanted->count == wanted->capacity || lookup_wanted_has(wanted, key, length))
        return;
    wanted->keys[wanted->count] = key;
    wanted->lengths[wanted->count] = length;
    hash_add(&wanted->hash, hash_bytes(key, length), (uint32_t)wanted->count++);
}

/* The identifier that begins at name[i] with its length in front; every digit may be the first of one, since a number
 * of another meaning may come before. */
static bool lookup_wanted_has_at(const struct lookup_wanted *wanted, const char *name, size_t length, size_t i)
{
    size_t number = 0;

    while (i < length && name[i] >= '0' && name[i] <= '9' && number < length)
        number = number * 10 + (size_t)(name[i++] - '0');
    if (number == 0 || number > length - i)
        return false;
    if (lookup_wanted_has(wanted, name + i, number))
        return true;
    /* Rust's v0 mangling puts a _ before an identifier that begins with one */
    return name[i] == '_' && number < length - i && lookup_wanted_has(wanted, name + i + 1, number);
}

/* Rust's legacy mangling spells generics inside the identifiers, so everything is possible there. */
bool lookup_wanted_may_mean(const struct lookup_wanted *wanted, const char *name, size_t length)
{
    if (wanted->is_everything || demangle_rust_hash(name, length))
        return true;
    for (size_t i = 2; i < length; i++) {
        if (name[i] >= '1' && name[i] <= '9' && lookup_wanted_has_at(wanted, name, length, i))
            return true;
    }
    return false;
}
