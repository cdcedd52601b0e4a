#include "symbols/elf/makers.h"

#include <string.h>

#include "symbols/elf/image.h"

enum {
    MAKERS_HASH_DIGITS = 16,
};

static bool makers_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A linker compiles nothing, unless its plugin does: then the compiler says so by itself. */
static bool makers_is_linker(const char *text)
{
    return makers_begins(text, "Linker: ") || makers_begins(text, "mold ");
}

static enum object_makers makers_by_comment(const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_name(image, ".comment", &header);
    Elf_Data *data = section && header.sh_type != SHT_NOBITS ? elf_getdata(section, NULL) : NULL;
    enum object_makers makers = OBJECT_MAKERS_UNKNOWN;
    size_t length;

    for (size_t at = 0; data && data->d_buf && at < data->d_size; at += length + 1) {
        const char *text = (const char *)data->d_buf + at;

        length = strnlen(text, data->d_size - at);
        if (length == 0 || length == data->d_size - at || makers_is_linker(text))
            continue;
        if (!makers_begins(text, "GCC: ("))
            return OBJECT_MAKERS_OTHERS;
        makers = OBJECT_MAKERS_GCC;
    }
    return makers;
}

/* `_ZN4core3fmt5write17h0123456789abcdefE`: names as C++ has them, which end in a hash. */
static bool makers_is_rust(const char *name)
{
    size_t length = strlen(name);
    const char *hash = length > MAKERS_HASH_DIGITS + 4 ? name + length - MAKERS_HASH_DIGITS - 4 : NULL;

    if (name[0] == '_' && name[1] == 'R' && (name[2] == 'N' || name[2] == 'I' || name[2] == 'M' || name[2] == 'X'))
        return true;
    if (!hash || !makers_begins(name, "_ZN"))
        return false;
    return makers_begins(hash, "17h") && strspn(hash + 3, "0123456789abcdef") == MAKERS_HASH_DIGITS;
}

static bool makers_ends(const char *name, const char *suffix)
{
    size_t length = strlen(name);

    return length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
}

bool makers_is_foreign(const char *name)
{
    if (makers_begins(name, "caml") && strstr(name, "__"))
        return true;
    if (makers_ends(name, "_info") && strstr(name, "zi"))
        return true;
    if (makers_begins(name, "$s") || makers_begins(name, "$S") || makers_begins(name, "_$s"))
        return true;
    if (name[0] == '_' && name[1] == 'D' && name[2] >= '1' && name[2] <= '9')
        return true;
    return makers_is_rust(name);
}

enum object_makers makers_of(const struct image *image, const struct symbol *symbols, size_t symbol_count)
{
    enum object_makers makers = makers_by_comment(image);

    for (size_t i = 0; i < symbol_count && makers == OBJECT_MAKERS_GCC; i++)
        if (symbols[i].name[0] == '_' && makers_is_rust(symbols[i].name))
            return OBJECT_MAKERS_OTHERS;
    return makers;
}
