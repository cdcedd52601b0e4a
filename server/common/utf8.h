/* Characters of UTF-8. Whatever names and values are made of, what is served is text. */
#ifndef CALLMETER_SERVER_COMMON_UTF8_H
#define CALLMETER_SERVER_COMMON_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, for a byte that is part of no character */

/* The length of the character at the start of `count` bytes, at least 1; 0 if there is none. A NUL is none, and nothing
 * behind one is read, so text that ends in NUL may have any count. */
size_t utf8_length(const char *text, size_t count);

#endif
