#include "server/segment/copies.h"

#include <errno.h>
#include <string.h>

#include "server/common/pages.h"

enum {
    CHUNK_BYTES = 1 << 18,
    SLOTS_FIRST = 1 << 10,
};

struct copies_chunk {
    struct copies_chunk *next;
    size_t bytes;
};

/* The text at an offset, in one form. */
struct copies_item {
    uint64_t key; /* 0: the slot is free */
    const char *text;
    size_t length;
};

void copies_read(void *to, const void *from, size_t bytes)
{
    const uint64_t *source = from;
    char *target = to;

    for (size_t i = 0; i < bytes / sizeof(*source); i++) {
        uint64_t word = __atomic_load_n(&source[i], __ATOMIC_RELAXED);

        memcpy(target + i * sizeof(word), &word, sizeof(word));
    }
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static int add_chunk(struct copies *copies, size_t bytes)
{
    size_t chunk_bytes = sizeof(struct copies_chunk) + bytes;
    struct copies_chunk *chunk;

    if (chunk_bytes < CHUNK_BYTES)
        chunk_bytes = CHUNK_BYTES;
    chunk = pages_alloc(chunk_bytes);
    if (!chunk)
        return -ENOMEM;
    *chunk = (struct copies_chunk){.next = copies->chunks, .bytes = chunk_bytes};
    copies->chunks = chunk;
    copies->used_bytes = sizeof(*chunk);
    return 0;
}

void *copies_alloc(struct copies *copies, size_t bytes)
{
    void *memory;

    bytes = (bytes + 7) & ~(size_t)7;
    if (!copies->chunks || bytes > copies->chunks->bytes - copies->used_bytes) {
        int error = copies->error ? copies->error : add_chunk(copies, bytes);

        if (error) {
            copies->error = error;
            return NULL;
        }
    }
    memory = (char *)copies->chunks + copies->used_bytes;
    copies->used_bytes += bytes;
    return memory;
}

/* Forms ------------------------------------------------------------------------------------------------------------ */

/* The text behind the one at `text`, or NULL. */
static const char *next_text(const char *text, const char *end)
{
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    return nul ? nul + 1 : NULL;
}

static bool measure_pairs(const char *text, size_t room, bool is_first_empty, size_t *ret_length)
{
    const char *end = text + room;
    const char *name = text;

    if (is_first_empty && room && !*name)
        name = next_text(name + 1, end);
    while (name && name < end && *name) {
        const char *value = next_text(name, end);

        name = value ? next_text(value, end) : NULL;
    }
    if (!name || name >= end)
        return false;
    *ret_length = (size_t)(name - text);
    return true;
}

/* False if it is not well formed. */
static bool measure(const char *text, size_t room, enum copies_form form, size_t *ret_length)
{
    const char *next;

    if (form != COPIES_TEXT)
        return measure_pairs(text, room, form == COPIES_MAP, ret_length);
    next = next_text(text, text + room);
    if (next)
        *ret_length = (size_t)(next - 1 - text);
    return next != NULL;
}

/* Texts ------------------------------------------------------------------------------------------------------------ */

/* Never 0, which is a free slot. */
static uint64_t key_of(uint64_t offset, enum copies_form form)
{
    return (offset << 2 | (uint64_t)form) + 1;
}

/* The slot of a key, or the free one where it belongs. */
static struct copies_item *find_slot(const struct copies *copies, uint64_t key)
{
    size_t mask = copies->slot_count - 1;
    size_t slot = (key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;

    while (copies->slots[slot].key && copies->slots[slot].key != key)
        slot = (slot + 1) & mask;
    return &copies->slots[slot];
}

static int grow(struct copies *copies)
{
    struct copies grown = {.slot_count = copies->slot_count ? 2 * copies->slot_count : SLOTS_FIRST};

    grown.slots = pages_alloc(grown.slot_count * sizeof(*grown.slots));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; i < copies->slot_count; i++)
        if (copies->slots[i].key)
            *find_slot(&grown, copies->slots[i].key) = copies->slots[i];
    pages_free(copies->slots, copies->slot_count * sizeof(*copies->slots));
    copies->slots = grown.slots;
    copies->slot_count = grown.slot_count;
    return 0;
}

/* What was measured may have been changed before it was copied: then it is none. */
static struct copies_item copy_text(struct copies *copies, enum copies_form form, const char *source, size_t length)
{
    char *text = copies_alloc(copies, length + 1);
    size_t copied;

    if (!text)
        return (struct copies_item){.text = ""};
    memcpy(text, source, length);
    text[length] = '\0';
    if (!measure(text, length + 1, form, &copied) || copied != length)
        return (struct copies_item){.text = ""};
    return (struct copies_item){.text = text, .length = length};
}

static void add_item(struct copies *copies, struct copies_item *item, uint64_t key, enum copies_form form,
                     const char *source, size_t room)
{
    size_t length;

    if (measure(source, room, form, &length))
        *item = copy_text(copies, form, source, length);
    else
        *item = (struct copies_item){.text = ""};
    item->key = key;
    copies->item_count++;
}

const char *copies_text(struct copies *copies, uint64_t offset, enum copies_form form, const char *source, size_t room,
                        size_t *ret_length)
{
    uint64_t key = key_of(offset, form);
    struct copies_item *item;

    *ret_length = 0;
    if (2 * copies->item_count >= copies->slot_count && !copies->error)
        copies->error = grow(copies);
    if (!copies->slot_count)
        return "";
    item = find_slot(copies, key);
    if (!item->key) {
        if (copies->error)
            return "";
        add_item(copies, item, key, form, source, room);
    }
    *ret_length = item->length;
    return item->text;
}

void copies_finish(struct copies *copies)
{
    struct copies_chunk *chunk = copies->chunks;

    while (chunk) {
        struct copies_chunk *next = chunk->next;

        pages_free(chunk, chunk->bytes);
        chunk = next;
    }
    pages_free(copies->slots, copies->slot_count * sizeof(*copies->slots));
    *copies = (struct copies){0};
}
