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

/* Embedded by the caller; zeroed, it may be finished. */
struct keyset {
    struct key *keys; /* by index; filled in by the caller */
    uint32_t *slots;  /* private: index of a key and one, or 0; a power of two, more than there are keys */
    size_t slot_count;
    void *memory; /* private: holds both */
    size_t memory_bytes;
};

/* Makes room for so many keys, in pages. -ENOMEM. Context of all here: any thread. */
int keyset_init(struct keyset *set, size_t key_count);

void keyset_finish(struct keyset *set);

/* Sets a part to a text. */
void key_set(struct key *key, int part, const char *text);

/* Sets all parts from this one on to nothing. */
void key_end(struct key *key, int part);

/* Puts keys[index] in, unless an equal one is there: returns that one's index, else its own. */
uint32_t keyset_insert(struct keyset *set, uint32_t index);

#endif
