#include "symbols/elf/symtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"

enum {
    SYMTAB_VERSION_HIDDEN = 0x8000,
    SYMTAB_VERSIONS_MAX = 0x8000,
    SYMTAB_VERSION_FIRST = 2, /* 0 is local, 1 is global without a version */
};

/* The versions that an object defines (Linux Standard Base, "Symbol Versioning"). */
struct symtab_versions {
    Elf_Data *symbols; /* .gnu.version: one number a symbol */
    const char **names;
    size_t count;
};

static int symtab_read_versions(struct symtab_versions *versions, const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_type(image, SHT_GNU_versym, &header);
    Elf_Data *data;
    size_t offset = 0;

    versions->symbols = section ? elf_getdata(section, NULL) : NULL;
    section = image_section_by_type(image, SHT_GNU_verdef, &header);
    data = section ? elf_getdata(section, NULL) : NULL;
    if (!versions->symbols || !data)
        return 0;
    versions->names = bulk_calloc(SYMTAB_VERSIONS_MAX, sizeof(*versions->names));
    if (!versions->names)
        return -ENOMEM;
    versions->count = SYMTAB_VERSIONS_MAX;
    for (size_t i = 0; i < SYMTAB_VERSIONS_MAX && offset <= INT32_MAX; i++) {
        GElf_Verdef definition;
        GElf_Verdaux name;

        if (!gelf_getverdef(data, (int)offset, &definition))
            break;
        if (definition.vd_aux <= INT32_MAX - offset &&
            gelf_getverdaux(data, (int)(offset + definition.vd_aux), &name) && definition.vd_ndx < SYMTAB_VERSIONS_MAX)
            versions->names[definition.vd_ndx] = elf_strptr(image->elf, header.sh_link, name.vda_name);
        if (definition.vd_next == 0)
            break;
        offset += definition.vd_next;
    }
    return 0;
}

static void symtab_set_version(struct symbol *symbol, const struct symtab_versions *versions, int position)
{
    GElf_Versym version;

    symbol->is_default_version = true;
    if (!versions->symbols || !gelf_getversym(versions->symbols, position, &version))
        return;
    symbol->is_default_version = !(version & SYMTAB_VERSION_HIDDEN);
    version &= SYMTAB_VERSION_HIDDEN - 1;
    if (version >= SYMTAB_VERSION_FIRST && version < versions->count)
        symbol->version = versions->names[version];
}

/* Keeps the first `length` bytes of a name as a string of its own. */
static const char *symtab_own(struct symtab *symtab, const char *name, size_t length)
{
    char **owned = bulk_grow(symtab->owned, symtab->owned_count, &symtab->owned_capacity, 64, sizeof(*owned));

    if (!owned)
        return NULL;
    symtab->owned = owned;
    symtab->owned[symtab->owned_count] = strndup(name, length);
    return symtab->owned[symtab->owned_count] ? symtab->owned[symtab->owned_count++] : NULL;
}

/* The link editor writes `foo@VERSION` and `foo@@VERSION` as names into .symtab. */
static int symtab_split_version(struct symtab *symtab, struct symbol *symbol)
{
    const char *at = strchr(symbol->name, '@');

    if (!at || at == symbol->name)
        return 0;
    symbol->is_default_version = at[1] == '@';
    symbol->version = at + (symbol->is_default_version ? 2 : 1);
    symbol->name = symtab_own(symtab, symbol->name, (size_t)(at - symbol->name));
    return symbol->name ? 0 : -ENOMEM;
}

static int symtab_append(struct symtab *symtab, const struct symbol *symbol)
{
    struct symbol *symbols = bulk_grow(symtab->symbols, symtab->count, &symtab->capacity, 1024, sizeof(*symbols));

    if (!symbols)
        return -ENOMEM;
    symtab->symbols = symbols;
    symtab->symbols[symtab->count++] = *symbol;
    return 0;
}

/* Everything that reading one table needs. */
struct symtab_reader {
    struct symtab *symtab;
    const struct image *image;
    size_t strings; /* section of the names */
    struct symtab_versions versions;
    symtab_filter filter;
    void *context;
    const char *file; /* of the local symbols that follow an STT_FILE */
    bool is_dynamic;
};

/* Absolute symbols are numbers, such as the names of versions; but a function may be linked to a fixed place. */
static bool symtab_takes(const struct symtab *symtab, const GElf_Sym *entry)
{
    unsigned char type = GELF_ST_TYPE(entry->st_info);
    uint32_t types = symtab->types ? symtab->types : (uint32_t)SYMTAB_FUNCTIONS;

    if (!(types >> type & 1) || entry->st_shndx == SHN_UNDEF)
        return false;
    if (type == STT_NOTYPE && GELF_ST_BIND(entry->st_info) == STB_LOCAL)
        return false;
    return entry->st_shndx != SHN_ABS || type == STT_FUNC || type == STT_GNU_IFUNC;
}

static int symtab_read_symbol(struct symtab_reader *reader, const GElf_Sym *entry, int position)
{
    unsigned char type = GELF_ST_TYPE(entry->st_info);
    struct symbol symbol = {.address = entry->st_value, .size = entry->st_size};
    int result;

    if (type != STT_FILE && !symtab_takes(reader->symtab, entry))
        return 0;
    symbol.is_local = GELF_ST_BIND(entry->st_info) == STB_LOCAL;
    symbol.name = elf_strptr(reader->image->elf, reader->strings, entry->st_name);
    if (type == STT_FILE)
        reader->file = symbol.name && symbol.name[0] ? symbol.name : NULL;
    if (type == STT_FILE || !symbol.name || !symbol.name[0])
        return 0;
    symbol.is_exported =
        reader->is_dynamic && !symbol.is_local &&
        (GELF_ST_VISIBILITY(entry->st_other) == STV_DEFAULT || GELF_ST_VISIBILITY(entry->st_other) == STV_PROTECTED);
    symbol.is_ifunc = type == STT_GNU_IFUNC;
    symbol.file = symbol.is_local ? reader->file : NULL;
    if (!reader->filter(&symbol, type == STT_NOTYPE, reader->context))
        return 0;
    symtab_set_version(&symbol, &reader->versions, position);
    result = symtab_split_version(reader->symtab, &symbol);
    return result < 0 ? result : symtab_append(reader->symtab, &symbol);
}

int symtab_read(struct symtab *symtab, const struct image *image, uint32_t type, symtab_filter filter, void *context,
                bool *ret_is_there)
{
    struct symtab_reader reader = {
        .symtab = symtab, .image = image, .filter = filter, .context = context, .is_dynamic = type == SHT_DYNSYM};
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_type(image, type, &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    GElf_Sym entry;
    int result = 0;

    if (ret_is_there)
        *ret_is_there = data && data->d_buf;
    if (!data || !data->d_buf)
        return 0;
    reader.strings = header.sh_link;
    if (type == SHT_DYNSYM)
        result = symtab_read_versions(&reader.versions, image);
    for (int i = 0; result == 0 && gelf_getsym(data, i, &entry); i++)
        result = symtab_read_symbol(&reader, &entry, i);
    bulk_free(reader.versions.names);
    return result;
}

static int symtab_compare(const void *a, const void *b)
{
    const struct symbol *first = a;
    const struct symbol *second = b;
    int order;

    if (first->address != second->address)
        return first->address < second->address ? -1 : 1;
    order = strcmp(first->name, second->name);
    if (order)
        return order;
    if (!first->version != !second->version)
        return first->version ? -1 : 1; /* it knows better whether it is the default */
    return second->is_default_version - first->is_default_version;
}

static void symtab_merge(struct symbol *kept, const struct symbol *other)
{
    kept->size = kept->size > other->size ? kept->size : other->size;
    kept->is_ifunc |= other->is_ifunc;
    kept->is_local &= other->is_local;
    kept->is_exported |= other->is_exported;
    if (!kept->version)
        kept->version = other->version;
    if (!kept->file)
        kept->file = other->file;
}

void symtab_sort(struct symtab *symtab)
{
    size_t kept = 0;

    if (symtab->count == 0)
        return;
    qsort(symtab->symbols, symtab->count, sizeof(*symtab->symbols), symtab_compare);
    for (size_t i = 1; i < symtab->count; i++) {
        struct symbol *last = &symtab->symbols[kept];
        const struct symbol *symbol = &symtab->symbols[i];

        if (symbol->address == last->address && strcmp(symbol->name, last->name) == 0)
            symtab_merge(last, symbol);
        else
            symtab->symbols[++kept] = *symbol;
    }
    symtab->count = kept + 1;
}

void symtab_finish(struct symtab *symtab)
{
    for (size_t i = 0; i < symtab->owned_count; i++)
        free(symtab->owned[i]);
    bulk_free(symtab->owned);
    bulk_free(symtab->symbols);
    memset(symtab, 0, sizeof(*symtab));
}
