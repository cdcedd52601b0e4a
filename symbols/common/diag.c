/* Error text carried upward. */
#include "symbols/common/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

static size_t character_bytes(char lead)
{
    const unsigned char byte = (unsigned char)lead;

    if (byte >= 0xF0)
        return 4;
    if (byte >= 0xE0)
        return 3;
    return byte >= 0xC0 ? 2 : 1;
}

size_t diag_cut(const char *text, size_t length, size_t bytes_max)
{
    const size_t kept = length < bytes_max ? length : bytes_max;
    size_t last = kept;

    if (kept == length || kept == 0)
        return kept;
    do
        last--;
    while (last > 0 && is_continuation(text[last]));
    return last + character_bytes(text[last]) > kept ? last : kept;
}

static void replace_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

/* `written` is what snprintf says of the text, which may be longer than the array. */
static void store(struct diag *diag, char *text, int written)
{
    const size_t length = written < 0 ? 0 : (size_t)written;
    const size_t kept = diag_cut(text, length, sizeof diag->text - 1);

    text[kept] = '\0';
    replace_controls(text);
    memcpy(diag->text, text, kept + 1);
}

void diag_set(struct diag *diag, const char *format, ...)
{
    char text[sizeof diag->text];
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    store(diag, text, written);
}

int diag_refuse(struct diag *diag, int error, const char *text)
{
    diag_set(diag, "%s", text);
    return error;
}

void diag_wrap(struct diag *diag, const char *format, ...)
{
    struct diag prefix;
    char text[sizeof diag->text];
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    store(&prefix, text, written);
    diag_set(diag, "%s: %s", prefix.text, diag->text);
}

const char *diag_quote(char *quoted, const char *word)
{
    static const char ellipsis[] = "...";
    const size_t bytes_max = DIAG_QUOTE_BYTES - sizeof ellipsis - 2;
    const size_t length = strlen(word);
    const size_t kept = diag_cut(word, length, bytes_max);

    (void)snprintf(quoted, DIAG_QUOTE_BYTES, "\"%.*s%s\"", (int)kept, word, kept < length ? ellipsis : "");
    return quoted;
}
