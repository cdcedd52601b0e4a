/* Error text carried upward: the -errno of a call says what kind, this says what, where and what to do. */
#ifndef CALLMETER_SYMBOLS_COMMON_DIAG_H
#define CALLMETER_SYMBOLS_COMMON_DIAG_H

#include <stddef.h>

/* Embedded by the caller, valid when zeroed. Owned by one thread. */
struct diag {
    char text[1024];
};

enum {
    DIAG_QUOTE_BYTES = 72, /* what diag_quote needs */
};

/* Replaces the text; cut at the end of the array, on a UTF-8 character boundary. Always one line: control characters
 * become '?'. The arguments may point into the old text. Context: startup. */
void diag_set(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets a text that has nothing to fill in, and returns `error`: a refusal is one line. Context: startup. */
int diag_refuse(struct diag *diag, int error, const char *text);

/* Puts a prefix and ": " in front of the text, for the layer above to say what it was doing. Context: startup. */
void diag_wrap(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many of `length` bytes of UTF-8 remain if they are to be at most bytes_max and end with a whole character. */
size_t diag_cut(const char *text, size_t length, size_t bytes_max);

/* Writes a word from the user's input in double quotes, cut to a readable length, and returns `quoted`
 * (DIAG_QUOTE_BYTES of the caller's). */
const char *diag_quote(char *quoted, const char *word);

#endif
