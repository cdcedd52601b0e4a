/* A set of keys made of several texts, to find those that come twice. */
#ifndef CALLMETER_SERVER_COMMON_KEYSET_H
#define CALLMETER_SERVER_COMMON_KEYSET_H

#include <stddef.h>
#include <stdint.h>

enum {
    KEY_PARTS = 5
};

struct key {
    const char *parts[KEY_PARTS]; /* NULL: unused */
    size_t lengths[KEY_PARTS];
};

/* Zeroed memory of the caller's; slots holds a power of two, more than there are keys. */
struct keyset {
    uint32_t *slots; /* index of a key and one, or 0 */
    size_t slot_count;
    struct key *keys; /* by index; the caller's array */
};

/* Sets a part to a text. */
void key_set(struct key *key, int part, const char *text);

/* Slots for so many keys. */
size_t keyset_slots(size_t key_count);

/* Puts keys[index] in, unless an equal one is there: returns that one's index, else its own. Context: any thread. */
uint32_t keyset_insert(struct keyset *set, uint32_t index);

#endif
