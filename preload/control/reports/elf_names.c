#include "preload/control/reports/elf_names.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/control/reports/mapped.h"
#include "preload/machine/x86_64/cpu.h"

#define DEBUG_FOLDER "/usr/lib/debug/.build-id/"

enum {
    CHUNK_SYMBOLS = 512,
    CHUNK_SECTIONS = 64,
    SEGMENTS_MAX = 64,
    NOTES_BYTES_MAX = 4096,
};

/* A file that is open for reading. */
struct file {
    int fd;
    uint64_t bytes;
    Elf64_Ehdr header;
};

/* Symbols and their names, where they lie in the file. */
struct table {
    uint64_t symbols;
    uint64_t symbols_bytes; /* 0: there is no such table */
    uint64_t strings;
    uint64_t strings_bytes;
};

struct tables {
    struct table full;
    struct table dynamic;
};

static bool is_late(uint64_t deadline_ns)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec > deadline_ns;
}

/* All of it, or nothing. */
static bool read_at(const struct file *file, uint64_t offset, void *buffer, size_t bytes)
{
    char *to = buffer;

    if (offset > file->bytes || bytes > file->bytes - offset)
        return false;
    while (bytes > 0) {
        long got = cpu_syscall(SYS_pread64, file->fd, (long)to, (long)bytes, (long)offset, 0, 0);

        if (got <= 0 && got != -EINTR)
            return false;
        if (got > 0) {
            to += got;
            offset += (uint64_t)got;
            bytes -= (size_t)got;
        }
    }
    return true;
}

static bool file_open(struct file *file, const char *path)
{
    struct stat status;

    file->fd =
        (int)cpu_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
    if (file->fd < 0)
        return false;
    if (cpu_syscall(SYS_fstat, file->fd, (long)&status, 0, 0, 0, 0) == 0 && S_ISREG(status.st_mode)) {
        file->bytes = (uint64_t)status.st_size;
        if (read_at(file, 0, &file->header, sizeof(file->header)) &&
            memcmp(file->header.e_ident, ELFMAG, SELFMAG) == 0 && file->header.e_ident[EI_CLASS] == ELFCLASS64 &&
            file->header.e_shentsize == sizeof(Elf64_Shdr))
            return true;
    }
    cpu_syscall(SYS_close, file->fd, 0, 0, 0, 0, 0);
    return false;
}

static void file_close(const struct file *file)
{
    cpu_syscall(SYS_close, file->fd, 0, 0, 0, 0, 0);
}

/* Debug files keep the notes, but at offsets that only their sections know: so both are looked at by sections. */
static bool section_has_build_id(const struct file *file, const Elf64_Shdr *section, const char *build_id)
{
    static uint8_t notes[NOTES_BYTES_MAX];
    char found[MAPPED_BUILD_ID_BYTES];

    return section->sh_type == SHT_NOTE && section->sh_size <= sizeof(notes) &&
           read_at(file, section->sh_offset, notes, section->sh_size) &&
           mapped_note_build_id(notes, section->sh_size, found) && strcmp(found, build_id) == 0;
}

static bool section_at(const struct file *file, uint64_t index, Elf64_Shdr *ret_section)
{
    return index < file->header.e_shnum &&
           read_at(file, file->header.e_shoff + index * sizeof(*ret_section), ret_section, sizeof(*ret_section));
}

static void take_table(const struct file *file, const Elf64_Shdr *section, struct table *table)
{
    Elf64_Shdr strings;

    if (section->sh_entsize != sizeof(Elf64_Sym) || !section_at(file, section->sh_link, &strings) ||
        strings.sh_type != SHT_STRTAB)
        return;
    *table = (struct table){section->sh_offset, section->sh_size, strings.sh_offset, strings.sh_size};
}

/* Goes through the sections once. true: the file is the one that is meant. */
static bool file_look(const struct file *file, const char *build_id, const void *image, struct tables *tables)
{
    static Elf64_Shdr sections[CHUNK_SECTIONS];
    bool is_right = !build_id[0] && image && memcmp(&file->header, image, sizeof(file->header)) == 0;

    memset(tables, 0, sizeof(*tables));
    for (uint64_t first = 0; first < file->header.e_shnum; first += CHUNK_SECTIONS) {
        uint64_t count = file->header.e_shnum - first;

        if (count > CHUNK_SECTIONS)
            count = CHUNK_SECTIONS;
        if (!read_at(file, file->header.e_shoff + first * sizeof(*sections), sections, count * sizeof(*sections)))
            return false;
        for (uint64_t i = 0; i < count; i++) {
            if (build_id[0] && section_has_build_id(file, &sections[i], build_id))
                is_right = true;
            if (sections[i].sh_type == SHT_SYMTAB)
                take_table(file, &sections[i], &tables->full);
            if (sections[i].sh_type == SHT_DYNSYM)
                take_table(file, &sections[i], &tables->dynamic);
        }
    }
    return is_right;
}

enum {
    RANK_SIZED = 4, /* it is known to contain the address; others only lie in front of it */
};

/* Never 0. */
static uint32_t rank_of(const Elf64_Sym *symbol)
{
    unsigned binding = ELF64_ST_BIND(symbol->st_info);

    return (symbol->st_size ? RANK_SIZED : 0U) + (binding == STB_GLOBAL ? 3U : binding == STB_WEAK ? 2U : 1U);
}

/* Of several symbols: one that has a size, then the nearest, then a global one, then a weak one. */
static bool is_better(const Elf64_Sym *symbol, const struct elf_name *name)
{
    uint32_t rank = rank_of(symbol);

    if ((rank > RANK_SIZED) != (name->rank > RANK_SIZED))
        return rank > RANK_SIZED;
    return symbol->st_value > name->start || (symbol->st_value == name->start && rank > name->rank);
}

static void compare(const Elf64_Sym *symbol, struct elf_name *name)
{
    if (symbol->st_value > name->address || (symbol->st_size && name->address - symbol->st_value >= symbol->st_size))
        return;
    if (name->rank && !is_better(symbol, name))
        return;
    name->start = symbol->st_value;
    name->string = symbol->st_name;
    name->rank = rank_of(symbol);
}

static bool is_function(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC);
}

/* Linkers write a version behind the names of .symtab. */
static void cut_version(char *text)
{
    char *at = strchr(text, '@');

    if (at && at != text)
        *at = '\0';
}

static void read_text(const struct file *file, const struct table *table, struct elf_name *name)
{
    uint64_t room = table->strings_bytes > name->string ? table->strings_bytes - name->string : 0;
    size_t bytes = room < sizeof(name->text) - 1 ? room : sizeof(name->text) - 1;

    if (!name->rank || !read_at(file, table->strings + name->string, name->text, bytes))
        bytes = 0;
    name->text[bytes] = '\0';
    cut_version(name->text);
    name->is_found = name->text[0] != '\0';
}

static void table_search(const struct file *file, const struct table *table, struct elf_name **names, size_t count,
                         uint64_t deadline_ns)
{
    static Elf64_Sym symbols[CHUNK_SYMBOLS];
    uint64_t total = table->symbols_bytes / sizeof(*symbols);

    for (uint64_t first = 0; first < total && !is_late(deadline_ns); first += CHUNK_SYMBOLS) {
        uint64_t chunk = total - first < CHUNK_SYMBOLS ? total - first : CHUNK_SYMBOLS;

        if (!read_at(file, table->symbols + first * sizeof(*symbols), symbols, chunk * sizeof(*symbols)))
            break;
        for (uint64_t i = 0; i < chunk; i++)
            for (size_t j = 0; is_function(&symbols[i]) && j < count; j++)
                compare(&symbols[i], names[j]);
    }
    for (size_t j = 0; j < count; j++)
        read_text(file, table, names[j]);
}

/* true: there was a full table, so there is nothing to be found elsewhere. */
static bool file_search(const char *path, const char *build_id, const void *image, bool is_dynamic,
                        struct elf_name **names, size_t count, uint64_t deadline_ns)
{
    struct file file;
    struct tables tables;
    bool is_done = false;

    if (!file_open(&file, path))
        return false;
    if (file_look(&file, build_id, image, &tables)) {
        const struct table *table = is_dynamic ? &tables.dynamic : &tables.full;

        is_done = table->symbols_bytes > 0;
        if (is_done)
            table_search(&file, table, names, count, deadline_ns);
    }
    file_close(&file);
    return is_done;
}

/* "/usr/lib/debug/.build-id/ab/cdef....debug" */
static bool debug_path(const char *build_id, char path[sizeof(DEBUG_FOLDER) + MAPPED_BUILD_ID_BYTES + 16])
{
    size_t length = sizeof(DEBUG_FOLDER) - 1;

    if (strlen(build_id) < 4)
        return false;
    memcpy(path, DEBUG_FOLDER, length);
    memcpy(path + length, build_id, 2);
    path[length + 2] = '/';
    strcpy(path + length + 3, build_id + 2);
    strcat(path + length + 3, ".debug");
    return true;
}

void elf_names_find(const char *path, const char *build_id, const void *image, struct elf_name **names, size_t count,
                    uint64_t deadline_ns)
{
    char debug[sizeof(DEBUG_FOLDER) + MAPPED_BUILD_ID_BYTES + 16];

    if (file_search(path, build_id, image, false, names, count, deadline_ns))
        return;
    if (debug_path(build_id, debug) && file_search(debug, build_id, NULL, false, names, count, deadline_ns))
        return;
    file_search(path, build_id, image, true, names, count, deadline_ns);
}
