/* Memory for tables that may be large and are short-lived: from some size on they are mapped for themselves.
 *
 * What is given back is then gone from the process. And the program's heap stays what it would be: glibc takes the
 * release of a large block as a sign that blocks of that size had better not be mapped, nor the top of the heap be
 * trimmed. */
#ifndef CALLMETER_SYMBOLS_COMMON_BULK_H
#define CALLMETER_SYMBOLS_COMMON_BULK_H

#include <stddef.h>

/* As calloc, reallocarray and free; memory of one kind is never given to the other. What bulk_resize adds has no value.
 * Context: startup. */
void *bulk_calloc(size_t count, size_t size);
void *bulk_resize(void *memory, size_t count, size_t size);
void bulk_free(void *memory);

/* Room for one more than the `count` elements that an array has: its memory, which has moved if it was full. *capacity
 * grows from `first` to twice as many each time. NULL: no memory; the array stays as it is. Context: startup. */
void *bulk_grow(void *memory, size_t count, size_t *capacity, size_t first, size_t size);

/* Strings that end together. Embedded by the caller; zeroed, it is empty. */
struct bulk_text {
    struct bulk_text_chunk *last;
};

/* NULL: no memory. */
char *bulk_text_copy(struct bulk_text *text, const char *string);

/* All copies end. */
void bulk_text_finish(struct bulk_text *text);

#endif
