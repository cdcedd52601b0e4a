/* Memory in pages of its own, not the heap's: what is made for one scrape leaves the program's malloc alone. */
#ifndef CALLMETER_SERVER_COMMON_PAGES_H
#define CALLMETER_SERVER_COMMON_PAGES_H

#include <stddef.h>

/* Zeroed pages outside the heap, or NULL. Given back with pages_free and the same size. Context: any thread. */
void *pages_alloc(size_t bytes);
void pages_free(void *pages, size_t bytes);

/* The next part of pages that hold several things: moves the cursor on, so that the next one is aligned for anything.
 * Any context. */
static inline void *pages_carve(char **cursor, size_t bytes)
{
    void *part = *cursor;

    *cursor += (bytes + 15) & ~(size_t)15;
    return part;
}

#endif
