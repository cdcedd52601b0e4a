/* Copies of what lies in the segment. Whoever else has the mapping can write it at any time, so what is read twice
 * could differ the second time: what is checked, measured or shown is copied first. */
#ifndef CALLMETER_SERVER_SEGMENT_COPIES_H
#define CALLMETER_SERVER_SEGMENT_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a text ends. */
enum copies_form {
    COPIES_TEXT,   /* with a NUL */
    COPIES_LABELS, /* name NUL value NUL ... NUL: with an empty name */
    COPIES_MAP,    /* the same, but that the first name may be empty */
};

struct copies_chunk;
struct copies_item;

/* Embedded by the caller; zeroed, it is empty. The first failure sticks, as in a buffer. */
struct copies {
    struct copies_chunk *chunks;
    size_t used_bytes; /* of the first chunk */
    struct copies_item *slots;
    size_t slot_count; /* 0, or a power of two */
    size_t item_count;
    int error; /* 0 or -ENOMEM */
};

/* Reads `bytes`, a multiple of 8 at an address that is one too, each word once. Any context. */
void copies_read(void *to, const void *from, size_t bytes);

/* Memory that lives as long as the copies; NULL: there is none. Context of all the following: server thread. */
void *copies_alloc(struct copies *copies, size_t bytes);

/* The text that lies at `source`, of at most `room` bytes, and its length without the NUL that ends all of it. For an
 * offset and a form it is copied the first time, and is the same ever after. Empty if it is not well formed, or is
 * changed right now; valid as long as the copies. */
const char *copies_text(struct copies *copies, uint64_t offset, enum copies_form form, const char *source, size_t room,
                        size_t *ret_length);

void copies_finish(struct copies *copies);

#endif
