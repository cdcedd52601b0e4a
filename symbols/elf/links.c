#include "symbols/elf/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/image.h"

enum {
    LINKS_RELR = 19, /* SHT_RELR, of the generic ABI; older headers do not have it */
};

static bool links_is_code(const struct links *links, uint64_t address)
{
    return address >= links->code_start && address < links->code_end;
}

static int links_add_pointer(struct links *links, uint64_t place, uint64_t value)
{
    struct plan_pointer *pointers;

    if (!links_is_code(links, value))
        return 0;
    pointers = bulk_grow(links->pointers, links->pointer_count, &links->pointer_capacity, 1024, sizeof(*pointers));
    if (!pointers)
        return -ENOMEM;
    links->pointers = pointers;
    links->pointers[links->pointer_count++] = (struct plan_pointer){place, value};
    return 0;
}

static int links_add_import(struct links *links, uint64_t place, const char *name)
{
    struct plan_import *imports;

    if (!name || !plan_is_special(name))
        return 0;
    imports = bulk_grow(links->imports, links->import_count, &links->import_capacity, 16, sizeof(*imports));
    if (!imports)
        return -ENOMEM;
    links->imports = imports;
    links->imports[links->import_count++] = (struct plan_import){place, name};
    return 0;
}

/* The symbols that relocations of one section refer to. */
struct links_symbols {
    const struct image *image;
    Elf_Data *data;
    size_t names; /* section */
};

/* A word that the loader fills by a symbol's name. Where the object defines the symbol itself, that one may be it. */
static int links_read_symbolic(struct links *links, const struct links_symbols *symbols, const GElf_Rela *entry)
{
    GElf_Sym symbol;
    int result;

    if (!symbols->data || GELF_R_SYM(entry->r_info) > INT32_MAX ||
        !gelf_getsym(symbols->data, (int)GELF_R_SYM(entry->r_info), &symbol))
        return 0;
    result = links_add_import(links, entry->r_offset, elf_strptr(symbols->image->elf, symbols->names, symbol.st_name));
    if (result == 0 && symbol.st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC &&
        GELF_ST_TYPE(symbol.st_info) != STT_TLS)
        result = links_add_pointer(links, entry->r_offset, symbol.st_value + (uint64_t)entry->r_addend);
    return result;
}

static int links_read_rela(struct links *links, const struct image *image, Elf_Scn *section, const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    Elf_Scn *symbols_section = elf_getscn(image->elf, header->sh_link);
    GElf_Shdr symbols_header;
    struct links_symbols symbols = {.image = image};
    GElf_Rela entry;
    int result = 0;

    if (header->sh_link && symbols_section && gelf_getshdr(symbols_section, &symbols_header)) {
        symbols.data = elf_getdata(symbols_section, NULL);
        symbols.names = symbols_header.sh_link;
    }
    for (int i = 0; data && result == 0 && gelf_getrela(data, i, &entry); i++) {
        switch (GELF_R_TYPE(entry.r_info)) {
        case R_X86_64_RELATIVE:
            result = links_add_pointer(links, entry.r_offset, (uint64_t)entry.r_addend);
            break;
        case R_X86_64_64:
        case R_X86_64_GLOB_DAT:
        case R_X86_64_JUMP_SLOT:
            result = links_read_symbolic(links, &symbols, &entry);
            break;
        default:
            break;
        }
    }
    return result;
}

/* The section's bytes that hold an address; NULL: none do, or not `bytes` of them. */
static const uint8_t *links_bytes(const struct image *image, uint64_t address, size_t bytes)
{
    Elf_Scn *section = NULL;
    GElf_Shdr header;

    while ((section = elf_nextscn(image->elf, section))) {
        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC) || header.sh_type == SHT_NOBITS ||
            address < header.sh_addr || address - header.sh_addr >= header.sh_size)
            continue;
        if (header.sh_offset > image->length || header.sh_size > image->length - header.sh_offset ||
            header.sh_size - (address - header.sh_addr) < bytes)
            return NULL;
        return image->bytes + header.sh_offset + (address - header.sh_addr);
    }
    return NULL;
}

/* One relocated word, whose value stands in its place. */
static int links_read_in_place(struct links *links, const struct image *image, uint64_t place)
{
    const uint8_t *bytes = links_bytes(image, place, sizeof(uint64_t));
    uint64_t value;

    if (!bytes)
        return 0;
    memcpy(&value, bytes, sizeof(value));
    return links_add_pointer(links, place, value);
}

/* An even entry is a place; an odd one is a bit for each of the 63 words that follow what came last. */
static int links_read_relr(struct links *links, const struct image *image, Elf_Scn *section)
{
    Elf_Data *data = elf_rawdata(section, NULL);
    uint64_t next = 0;
    int result = 0;

    for (size_t at = 0; data && data->d_buf && result == 0 && at + 8 <= data->d_size; at += 8) {
        uint64_t entry;

        memcpy(&entry, (const char *)data->d_buf + at, sizeof(entry));
        if (!(entry & 1)) {
            result = links_read_in_place(links, image, entry);
            next = entry + 8;
            continue;
        }
        for (unsigned bit = 1; bit < 64 && result == 0; bit++)
            if (entry >> bit & 1)
                result = links_read_in_place(links, image, next + (bit - 1) * UINT64_C(8));
        next += 63 * 8;
    }
    return result;
}

/* Every aligned word of a section. */
static int links_read_words(struct links *links, const struct image *image, const GElf_Shdr *header)
{
    const uint8_t *bytes = image->bytes + header->sh_offset;
    size_t first = (size_t)(-header->sh_addr % sizeof(uint64_t));
    int result = 0;

    if (header->sh_offset > image->length || header->sh_size > image->length - header->sh_offset)
        return 0;
    for (size_t at = first; result == 0 && at + sizeof(uint64_t) <= header->sh_size; at += sizeof(uint64_t)) {
        uint64_t value;

        memcpy(&value, bytes + at, sizeof(value));
        result = links_add_pointer(links, header->sh_addr + at, value);
    }
    return result;
}

/* Tables for unwinding hold numbers of other kinds; the others hold what the program reads. */
static bool links_has_words(const struct image *image, const GElf_Shdr *header, size_t names)
{
    static const char *const others[] = {".eh_frame", ".gcc_except_table", ".interp"};
    const char *name = elf_strptr(image->elf, names, header->sh_name);

    if (!(header->sh_flags & SHF_ALLOC) ||
        (header->sh_type != SHT_PROGBITS && header->sh_type != SHT_INIT_ARRAY && header->sh_type != SHT_FINI_ARRAY))
        return false;
    for (size_t i = 0; name && i < sizeof(others) / sizeof(*others); i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

static int links_compare_pointers(const void *a, const void *b)
{
    const struct plan_pointer *first = a;
    const struct plan_pointer *second = b;

    return (first->place > second->place) - (first->place < second->place);
}

static int links_compare_imports(const void *a, const void *b)
{
    const struct plan_import *first = a;
    const struct plan_import *second = b;

    return (first->place > second->place) - (first->place < second->place);
}

int links_read(struct links *links, const struct image *image, uint64_t code_start, uint64_t code_end)
{
    Elf_Scn *section = NULL;
    GElf_Ehdr file;
    GElf_Shdr header;
    size_t names = 0;
    int result = 0;

    memset(links, 0, sizeof(*links));
    links->code_start = code_start;
    links->code_end = code_end;
    links->is_fixed = gelf_getehdr(image->elf, &file) && file.e_type == ET_EXEC;
    if (elf_getshdrstrndx(image->elf, &names) < 0)
        return 0;
    while (result == 0 && (section = elf_nextscn(image->elf, section))) {
        if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC))
            continue;
        if (header.sh_type == SHT_RELA)
            result = links_read_rela(links, image, section, &header);
        else if (header.sh_type == LINKS_RELR)
            result = links_read_relr(links, image, section);
        else if (links->is_fixed && links_has_words(image, &header, names))
            result = links_read_words(links, image, &header);
    }
    if (links->pointer_count > 1)
        qsort(links->pointers, links->pointer_count, sizeof(*links->pointers), links_compare_pointers);
    if (links->import_count > 1)
        qsort(links->imports, links->import_count, sizeof(*links->imports), links_compare_imports);
    return result;
}

void links_finish(struct links *links)
{
    bulk_free(links->pointers);
    bulk_free(links->imports);
    memset(links, 0, sizeof(*links));
}
