#include "preload/control/imports/import_table.h"

#include <dlfcn.h>
#include <elf.h>
#include <string.h>

enum {
    VERSION_INDEX = 0x7fff, /* the other bit says that the version is hidden */
    VERSION_FIRST = 2,      /* 0 and 1: local, and of no version */
    EH_FRAME_HDR_BYTES = 12,
    DW_EH_PE_UDATA4 = 0x03,
    DW_EH_PE_PCREL_SDATA4 = 0x1b,
    DW_EH_PE_DATAREL_SDATA4 = 0x3b,
};

static void add_segments(struct import_table *table, const struct dl_phdr_info *info)
{
    table->low = UINTPTR_MAX;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        if (begin < table->low)
            table->low = begin;
        if (begin + segment->p_memsz > table->high)
            table->high = begin + segment->p_memsz;
    }
}

/* The form that all linkers write: version 1, a count of 4 bytes, and a table of pairs that is sorted, of 4 bytes
 * relative to the header (LSB, "Exception Frames"). */
static void add_starts(struct import_table *table, const Elf64_Phdr *segment)
{
    static const uint8_t form[] = {1, DW_EH_PE_PCREL_SDATA4, DW_EH_PE_UDATA4, DW_EH_PE_DATAREL_SDATA4};
    const uint8_t *header = (const uint8_t *)(table->load_bias + segment->p_vaddr);
    uint32_t count;

    if (segment->p_memsz < EH_FRAME_HDR_BYTES || memcmp(header, form, sizeof(form)) != 0)
        return;
    memcpy(&count, header + EH_FRAME_HDR_BYTES - sizeof(count), sizeof(count));
    if (count > (segment->p_memsz - EH_FRAME_HDR_BYTES) / (2 * sizeof(int32_t)))
        return;
    table->eh_frame_hdr = (uintptr_t)header;
    table->starts = (const int32_t *)(header + EH_FRAME_HDR_BYTES);
    table->start_count = count;
}

/* A pointer of the dynamic section, which ld.so has made absolute. NULL where it leads out of the object. */
static const void *pointer_in(const struct import_table *table, Elf64_Addr value)
{
    if (value < table->low)
        value += table->load_bias;
    return value >= table->low && value < table->high ? (const void *)value : NULL;
}

static void add_entry(struct import_table *table, const Elf64_Dyn *entry)
{
    switch (entry->d_tag) {
    case DT_JMPREL:
        table->jumps = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_PLTRELSZ:
        table->jump_count = entry->d_un.d_val / sizeof(*table->jumps);
        break;
    case DT_RELA:
        table->others = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_RELASZ:
        table->other_count = entry->d_un.d_val / sizeof(*table->others);
        break;
    case DT_SYMTAB:
        table->symbols = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_STRTAB:
        table->strings = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_VERSYM:
        table->versions = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_VERNEED:
        table->needed = pointer_in(table, entry->d_un.d_ptr);
        break;
    case DT_VERDEF:
        table->defined = pointer_in(table, entry->d_un.d_ptr);
        break;
    default:
        break;
    }
}

bool import_table_init(struct import_table *table, const struct dl_phdr_info *info)
{
    const Elf64_Dyn *entry = NULL;

    *table = (struct import_table){
        .path = info->dlpi_name,
        .load_bias = info->dlpi_addr,
        .segments = info->dlpi_phdr,
        .segment_count = info->dlpi_phnum,
    };
    add_segments(table, info);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const Elf64_Dyn *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        else if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            add_starts(table, &info->dlpi_phdr[i]);
    }
    for (; entry && entry->d_tag != DT_NULL; entry++)
        add_entry(table, entry);
    if (!table->jumps)
        table->jump_count = 0;
    if (!table->others)
        table->other_count = 0;
    return table->symbols && table->strings && table->jump_count + table->other_count > 0;
}

uintptr_t *import_table_slot(const struct import_table *table, const Elf64_Rela *relocation)
{
    uintptr_t address = table->load_bias + relocation->r_offset;

    if (address < table->low || address > table->high - sizeof(uintptr_t) || address % sizeof(uintptr_t) != 0)
        return NULL;
    return (uintptr_t *)address;
}

bool import_table_is_unbound(const struct import_table *table, uintptr_t value)
{
    return value >= table->low && value < table->high;
}

static const char *needed_version(const struct import_table *table, unsigned index)
{
    const Elf64_Verneed *file = table->needed;

    while (file) {
        const Elf64_Vernaux *version = (const Elf64_Vernaux *)((const char *)file + file->vn_aux);

        for (unsigned i = 0; i < file->vn_cnt; i++) {
            if ((version->vna_other & VERSION_INDEX) == index)
                return table->strings + version->vna_name;
            version = (const Elf64_Vernaux *)((const char *)version + version->vna_next);
        }
        file = file->vn_next ? (const Elf64_Verneed *)((const char *)file + file->vn_next) : NULL;
    }
    return NULL;
}

static const char *defined_version(const struct import_table *table, unsigned index)
{
    const Elf64_Verdef *version = table->defined;

    while (version) {
        if ((version->vd_ndx & VERSION_INDEX) == index)
            return table->strings + ((const Elf64_Verdaux *)((const char *)version + version->vd_aux))->vda_name;
        version = version->vd_next ? (const Elf64_Verdef *)((const char *)version + version->vd_next) : NULL;
    }
    return NULL;
}

static const char *version_of(const struct import_table *table, size_t symbol)
{
    unsigned index = table->versions ? table->versions[symbol] & VERSION_INDEX : 0;
    const char *version = index >= VERSION_FIRST ? needed_version(table, index) : NULL;

    return version || index < VERSION_FIRST ? version : defined_version(table, index);
}

static void *lookup_in(void *scope, const char *name, const char *version)
{
    return version ? dlvsym(scope, name, version) : dlsym(scope, name);
}

/* What an object that was loaded with RTLD_LOCAL finds in itself and in what it needs. */
static void *lookup_own(const struct import_table *table, const char *name, const char *version)
{
    void *handle = dlopen(table->path[0] ? table->path : NULL, RTLD_LAZY | RTLD_NOLOAD);
    void *address = handle ? lookup_in(handle, name, version) : NULL;

    if (handle)
        dlclose(handle);
    return address;
}

uintptr_t import_table_lookup(const struct import_table *table, const Elf64_Rela *relocation)
{
    size_t index = ELF64_R_SYM(relocation->r_info);
    const Elf64_Sym *symbol = &table->symbols[index];
    const char *name = table->strings + symbol->st_name;
    const char *version;
    void *address;

    if (index == 0)
        return 0;
    if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL || ELF64_ST_VISIBILITY(symbol->st_other) != STV_DEFAULT)
        return symbol->st_shndx == SHN_UNDEF ? 0 : table->load_bias + symbol->st_value;
    version = version_of(table, index);
    address = lookup_in(RTLD_DEFAULT, name, version);
    if (!address)
        address = lookup_own(table, name, version);
    dlerror(); /* the program is not to find what we did not find */
    return (uintptr_t)address;
}

bool import_table_is_start(const struct import_table *table, uintptr_t address)
{
    size_t low = 0;
    size_t high = table->start_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        uintptr_t start = table->eh_frame_hdr + (uintptr_t)(intptr_t)table->starts[2 * middle];

        if (start == address)
            return true;
        if (start < address)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
