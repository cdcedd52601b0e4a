#include "symbols/elf/name.h"

#include <string.h>

struct name_suffix {
    const char *word;
    enum name_clone clone;
};

/* GCC's and LLVM's suffixes (gcc: clone_function_name in cgraphclones.cc and its callers). */
static const struct name_suffix name_suffixes[] = {
    {"constprop", NAME_CLONE_WHOLE},  {"isra", NAME_CLONE_WHOLE},   {"simdclone", NAME_CLONE_WHOLE},
    {"part", NAME_CLONE_PART},        {"_omp_fn", NAME_CLONE_PART}, {"_omp_cpyfn", NAME_CLONE_PART},
    {"_loopfn", NAME_CLONE_PART},     {"cold", NAME_CLONE_COLD},    {"lto_priv", NAME_CLONE_NONE},
    {"localalias", NAME_CLONE_NONE},  {"llvm", NAME_CLONE_NONE},    {"__uniq", NAME_CLONE_NONE},
    {"specialized", NAME_CLONE_WHOLE}};

/* The suffix that begins at a dot, with the number that may follow it; its length, or 0. */
static size_t name_suffix_length(const char *dot, enum name_clone *ret_clone)
{
    for (size_t i = 0; i < sizeof(name_suffixes) / sizeof(*name_suffixes); i++) {
        const struct name_suffix *suffix = &name_suffixes[i];
        size_t length = 1 + strlen(suffix->word);

        if (strncmp(dot + 1, suffix->word, length - 1) != 0)
            continue;
        if (dot[length] == '.') {
            size_t digits = strspn(dot + length + 1, "0123456789abcdef");

            if (digits > 0 && (dot[length + 1 + digits] == '.' || dot[length + 1 + digits] == '\0'))
                length += 1 + digits;
        }
        if (dot[length] != '.' && dot[length] != '\0')
            continue;
        *ret_clone = suffix->clone;
        return length;
    }
    return 0;
}

enum name_clone name_split_clone(const char *name, size_t *ret_length)
{
    const char *dot = name[0] ? strchr(name + 1, '.') : NULL;

    for (; dot; dot = strchr(dot + 1, '.')) {
        enum name_clone result = NAME_CLONE_NONE;
        enum name_clone clone = NAME_CLONE_NONE;
        const char *rest = dot;
        size_t length = 0;

        while (*rest == '.' && (length = name_suffix_length(rest, &clone)) > 0) {
            result = clone > result ? clone : result;
            rest += length;
        }
        if (*rest == '\0') {
            *ret_length = (size_t)(dot - name);
            return result;
        }
    }
    *ret_length = strlen(name);
    return NAME_CLONE_NONE;
}

struct name_class {
    const char *name;
    const char *ranges; /* pairs of first and last */
};

static const struct name_class name_classes[] = {
    {":alnum:]", "09AZaz"}, {":alpha:]", "AZaz"},    {":digit:]", "09"},
    {":lower:]", "az"},     {":upper:]", "AZ"},      {":space:]", "\t\r  "},
    {":blank:]", "\t\t  "}, {":xdigit:]", "09AFaf"}, {":punct:]", "!/:@[`{~"}};

/* A class such as `[:digit:]`, of which p is behind the first `[`. *ret_match tells whether c is in it. Its length, or
 * 0 if it is none. */
static size_t name_bracket_class(const char *p, unsigned char c, bool *ret_match)
{
    for (size_t i = 0; i < sizeof(name_classes) / sizeof(*name_classes); i++) {
        const char *range = name_classes[i].ranges;

        if (strncmp(p, name_classes[i].name, strlen(name_classes[i].name)) != 0)
            continue;
        for (*ret_match = false; *range; range += 2)
            *ret_match |= c >= (unsigned char)range[0] && c <= (unsigned char)range[1];
        return strlen(name_classes[i].name);
    }
    return 0;
}

/* One character of a bracket, escaped or not. */
static unsigned char name_bracket_character(const char **p)
{
    if (**p == '\\' && (*p)[1])
        ++*p;
    return (unsigned char)**p;
}

/* Matches one character against the bracket that begins after `[`. *ret_end is what follows the `]`; NULL if it is not
 * closed. */
static bool name_bracket(const char *pattern, unsigned char c, const char **ret_end)
{
    bool is_negated = *pattern == '!' || *pattern == '^';
    bool is_match = false;
    const char *first = pattern + is_negated;

    *ret_end = NULL;
    for (const char *p = first; *p; p++) {
        unsigned char low;
        unsigned char high;
        bool is_in_class = false;
        size_t length = *p == '[' ? name_bracket_class(p + 1, c, &is_in_class) : 0;

        if (*p == ']' && p > first) {
            *ret_end = p + 1;
            return is_match != is_negated;
        }
        p += length;
        is_match |= is_in_class;
        if (length > 0)
            continue;
        low = high = name_bracket_character(&p);
        if (p[1] == '-' && p[2] && p[2] != ']') {
            p += 2;
            high = name_bracket_character(&p);
        }
        is_match |= c >= low && c <= high;
    }
    return false;
}

/* Matches one character of text against the next element of the pattern, which is not `*`. NULL: no match; else what
 * follows in the pattern. */
static const char *name_glob_one(const char *pattern, char c)
{
    const char *end = NULL;

    switch (*pattern) {
    case '\0':
        return NULL;
    case '?':
        return pattern + 1;
    case '[':
        if (name_bracket(pattern + 1, (unsigned char)c, &end))
            return end;
        if (end)
            return NULL;
        break; /* never closed: an ordinary character */
    case '\\':
        if (pattern[1])
            pattern++;
        break;
    default:
        break;
    }
    return *pattern == c ? pattern + 1 : NULL;
}

/* Only the last `*` needs to be tried again: an earlier one that took more could not help. */
bool name_glob(const char *pattern, const char *text)
{
    const char *star = NULL; /* the pattern behind the last star */
    const char *retry = NULL;

    while (*text) {
        const char *next;

        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
            continue;
        }
        next = name_glob_one(pattern, *text);
        if (next) {
            pattern = next;
            text++;
        } else if (star) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
