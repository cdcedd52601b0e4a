/* Growing memory for one response, in pages of its own: a scrape leaves the program's heap, and what its malloc has
 * learnt of block sizes, alone. */
#ifndef CALLMETER_SERVER_COMMON_BUFFER_H
#define CALLMETER_SERVER_COMMON_BUFFER_H

#include <stddef.h>

/* Valid when zeroed, but for the limit. The first failure sticks: what is added later is dropped, and the caller looks
 * at `error` once, at the end. */
struct buffer {
    char *data;
    size_t used_bytes;
    size_t size_bytes;
    size_t limit_bytes; /* never grows beyond; 0: no limit */
    int error;          /* 0, -ENOMEM, or -EFBIG: beyond the limit */
};

/* Room for so many bytes behind those used, which the caller fills and then adds to used_bytes; NULL if there is none.
 * Context: server thread. */
char *buffer_reserve(struct buffer *buffer, size_t bytes);

/* Context of the following: server thread. */
void buffer_add(struct buffer *buffer, const void *bytes, size_t count);
void buffer_add_text(struct buffer *buffer, const char *text);

/* Gives the memory back; the buffer is empty and usable again. */
void buffer_finish(struct buffer *buffer);

#endif
