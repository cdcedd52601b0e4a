#include "symbols/elf/demangle.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

enum {
    DEMANGLED_BYTES_MAX = 64 * 1024,
    RUST_HASH_DIGITS = 16,
    RUST_HASH_BYTES = 3 + RUST_HASH_DIGITS + 1, /* 17h...E */
};

/* A buffer that grows; libiberty's printers cannot be told to stop, so a name that grows out of bounds is left by
 * longjmp. They hold no memory and no lock while they call back, except a few bytes for a punycode identifier. */
struct demangle_output {
    char *text;
    size_t length;
    size_t capacity;
    jmp_buf too_long;
};

bool demangle_is_mangled(const char *name)
{
    return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
}

static void demangle_append(const char *bytes, size_t length, void *opaque)
{
    struct demangle_output *output = opaque;

    if (length > DEMANGLED_BYTES_MAX - output->length)
        longjmp(output->too_long, 1);
    if (output->length + length >= output->capacity) {
        size_t capacity = (output->length + length + 1) * 2;
        char *text = realloc(output->text, capacity);

        if (!text)
            longjmp(output->too_long, 1);
        output->text = text;
        output->capacity = capacity;
    }
    memcpy(output->text + output->length, bytes, length);
    output->length += length;
}

static int demangle_flags(enum demangle_form form)
{
    switch (form) {
    case DEMANGLE_FULL:
        return DMGL_PARAMS | DMGL_ANSI;
    case DEMANGLE_NO_RETURN_TYPE:
        return DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP;
    default:
        return DMGL_ANSI;
    }
}

static bool demangle_run(const char *name, int flags, struct demangle_output *output)
{
    if (rust_demangle_callback(name, flags, demangle_append, output))
        return true;
    output->length = 0; /* it may have printed half of a name that turned out to be none */
    return cplus_demangle_v3_callback(name, flags, demangle_append, output);
}

static bool demangle_run_bounded(const char *name, int flags, struct demangle_output *output)
{
    if (setjmp(output->too_long))
        return false;
    return demangle_run(name, flags, output);
}

char *demangle(const char *name, size_t length, enum demangle_form form)
{
    struct demangle_output output = {0};
    char *mangled;

    if (length < 3 || !demangle_is_mangled(name))
        return NULL;
    mangled = strndup(name, length);
    if (!mangled)
        return NULL;
    if (!demangle_run_bounded(mangled, demangle_flags(form), &output) || output.length == 0) {
        free(output.text);
        output.text = NULL;
    }
    free(mangled);
    if (output.text)
        output.text[output.length] = '\0';
    return output.text;
}

const char *demangle_rust_hash(const char *name, size_t length)
{
    const char *hash;

    if (length < RUST_HASH_BYTES || name[length - 1] != 'E')
        return NULL;
    hash = name + length - RUST_HASH_BYTES;
    if (memcmp(hash, "17h", 3) != 0)
        return NULL;
    hash += 3;
    for (int i = 0; i < RUST_HASH_DIGITS; i++) {
        if (!((hash[i] >= '0' && hash[i] <= '9') || (hash[i] >= 'a' && hash[i] <= 'f')))
            return NULL;
    }
    return hash;
}

static bool demangle_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

void demangle_normalize(char *text)
{
    size_t to = 0;

    for (size_t from = 0; text[from]; from++) {
        if (text[from] == ' ') {
            from += strspn(text + from, " ");
            if (to > 0 && demangle_is_word(text[to - 1]) && demangle_is_word(text[from]))
                text[to++] = ' ';
            if (!text[from])
                break;
        }
        text[to++] = text[from];
    }
    text[to] = '\0';
}

/* Steps over a bracketed piece that begins at text[i], nested ones included; to the end if it is never closed. */
static size_t demangle_skip_brackets(const char *text, size_t i)
{
    int depth = 0;

    for (; text[i]; i++) {
        if (strchr("(<{[", text[i]))
            depth++;
        else if (strchr(")>}]", text[i]) && --depth == 0)
            return i + 1;
    }
    return i;
}

/* Identifiers that the ABI abbreviates (`Ss`, `Sa`, ...) and constructors of what it abbreviates. */
static bool demangle_is_abbreviated(const char *text, const char *word, size_t length)
{
    static const char *const words[] = {"std",     "string",        "basic_string",  "allocator",     "istream",
                                        "ostream", "basic_istream", "basic_ostream", "basic_iostream"};

    if (!strstr(text, "std::"))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0)
            return true;
    }
    return length == strlen("iostream") && memcmp(word, "iostream", length) == 0;
}

/* An identifier is whole if it has no wildcard beside it, and stands in the ELF name as it is written here. */
static bool demangle_is_whole(const char *text, size_t start, size_t end)
{
    if (start > 0 && strchr("*?]", text[start - 1]))
        return false;
    if (text[end] == '*' || text[end] == '?' || text[end] == '[')
        return false;
    if (text[start] >= '0' && text[start] <= '9')
        return false;
    for (size_t i = start; i < end; i++) {
        if (text[i] & 0x80)
            return false; /* Rust writes those in punycode */
    }
    return !demangle_is_abbreviated(text, text + start, end - start);
}

bool demangle_key(const char *text, const char **ret_key, size_t *ret_length)
{
    static const char anonymous[] = "(anonymous namespace)";
    const char *key = NULL;
    size_t key_length = 0;
    size_t i = 0;

    if (strstr(text, "operator"))
        return false;
    while (text[i] && (text[i] != '(' || strncmp(text + i, anonymous, sizeof(anonymous) - 1) == 0)) {
        size_t end = i;

        if (text[i] == ' ')
            return false; /* a return type, or words of the demangler's own, comes first */
        if (strchr("<{[(", text[i])) {
            i = demangle_skip_brackets(text, i);
            continue;
        }
        while (demangle_is_word(text[end]))
            end++;
        if (end > i && demangle_is_whole(text, i, end)) {
            key = text + i;
            key_length = end - i;
        }
        i = end > i ? end : i + 1;
    }
    if (!key)
        return false;
    *ret_key = key;
    *ret_length = key_length;
    return true;
}

/* Bytes of the UTF-8 character at `byte`, or 0 if there is none (RFC 3629, table of section 4). */
static size_t demangle_utf8_bytes(const unsigned char *byte)
{
    size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xC2 ? 0 : byte[0] < 0xE0 ? 2 : byte[0] < 0xF0 ? 3 : 4;
    unsigned char low = byte[0] == 0xE0 ? 0xA0 : byte[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = byte[0] == 0xED ? 0x9F : byte[0] == 0xF4 ? 0x8F : 0xBF;

    if (byte[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (byte[i] < (i == 1 ? low : 0x80) || byte[i] > (i == 1 ? high : 0xBF))
            return 0;
    }
    return length;
}

void demangle_sanitize(char *text)
{
    unsigned char *byte = (unsigned char *)text;

    while (*byte) {
        size_t length = demangle_utf8_bytes(byte);

        if (length == 0 || *byte < 0x20 || *byte == 0x7F) {
            *byte++ = '?';
            continue;
        }
        byte += length;
    }
}
