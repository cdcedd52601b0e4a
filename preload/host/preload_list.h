/* LD_PRELOAD: items that are separated by blanks or colons (ld.so(8)). Nothing here calls libc, which the program may
 * have captured. Context: any. */
#ifndef CALLMETER_PRELOAD_HOST_PRELOAD_LIST_H
#define CALLMETER_PRELOAD_HOST_PRELOAD_LIST_H

#include <stdbool.h>
#include <stddef.h>

static inline size_t text_length(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

static inline bool text_begins(const char *text, const char *prefix)
{
    while (*prefix && *text == *prefix) {
        text++;
        prefix++;
    }
    return *prefix == '\0';
}

static inline bool text_is(const char *a, const char *b)
{
    return text_begins(a, b) && a[text_length(b)] == '\0';
}

/* Writes `length` bytes and a NUL; returns where that is. */
static inline char *text_append(char *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        *to++ = text[i];
    *to = '\0';
    return to;
}

/* Length of the item that begins there; 0 at a separator. */
size_t preload_list_item(const char *item);

/* True if the item is the object. By the base name: an item may have tokens ($LIB) that the loader has put something in
 * place of. */
bool preload_list_is_object(const char *item, size_t length, const char *object);

/* True if one of the items is the object. */
bool preload_list_has(const char *items, const char *object);

/* Writes the items but for the object, each with the separator that stood before it; "" if none is left. `to` has room
 * for all of them. */
void preload_list_others(char *to, const char *items, const char *object);

#endif
