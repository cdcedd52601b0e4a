#include "preload/control/objects/span.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

enum {
    DEBUG_VERSION_SPACES = 2, /* of struct r_debug: other namespaces are linked to it */
    HEADER_BYTES = 4096,
};

/* As glibc's link.h has it since 2.35. */
struct debug_spaces {
    struct r_debug base;
    struct debug_spaces *next;
};

struct search {
    uintptr_t address;
    struct span *span;
};

static bool holds(const struct search *search, uintptr_t bias, const char *path, const Elf64_Phdr *headers,
                  size_t count)
{
    uintptr_t low = UINTPTR_MAX;
    uintptr_t high = 0;
    uintptr_t file_high = 0;

    for (size_t i = 0; i < count; i++) {
        uintptr_t begin = bias + headers[i].p_vaddr;

        if (headers[i].p_type != PT_LOAD)
            continue;
        low = begin < low ? begin : low;
        high = begin + headers[i].p_memsz > high ? begin + headers[i].p_memsz : high;
        file_high = begin + headers[i].p_filesz > file_high ? begin + headers[i].p_filesz : file_high;
    }
    if (search->address < low || search->address >= high)
        return false;
    *search->span = (struct span){low, high, file_high, bias, path};
    return true;
}

static int match(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    return holds(context, info->dlpi_addr, info->dlpi_name, info->dlpi_phdr, info->dlpi_phnum);
}

/* Where ld.so leaves it for debuggers: in the program's dynamic section, if that has a place for it. */
static int find_debug(struct dl_phdr_info *info, size_t size, void *context)
{
    const struct r_debug **debug = context;
    const Elf64_Dyn *entry = NULL;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const Elf64_Dyn *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr)
            *debug = (const struct r_debug *)entry->d_un.d_ptr;
    return 1; /* the program comes first */
}

const struct r_debug *span_debug(void)
{
    static const struct r_debug *debug;

    if (!debug) {
        debug = &_r_debug;
        dl_iterate_phdr(find_debug, &debug);
    }
    return debug;
}

static const struct debug_spaces *first_space(void)
{
    return (const struct debug_spaces *)span_debug();
}

const char *span_program(void)
{
    return getauxval(AT_BASE) == 0 ? (const char *)getauxval(AT_EXECFN) : "/proc/self/exe";
}

static const struct debug_spaces *space_behind(const struct debug_spaces *space)
{
    return space->base.r_version >= DEBUG_VERSION_SPACES ? space->next : NULL;
}

bool span_is_consistent(void)
{
    for (const struct debug_spaces *space = first_space(); space; space = space_behind(space))
        if (space->base.r_state != RT_CONSISTENT)
            return false;
    return true;
}

bool span_is_file(const char *name, uintptr_t load_bias)
{
    return *name && load_bias != getauxval(AT_SYSINFO_EHDR);
}

/* The first namespace behind that of the program which has objects, or NULL. */
static const struct debug_spaces *next_space(const struct debug_spaces *space)
{
    do
        space = space_behind(space);
    while (space && !space->base.r_map);
    return space;
}

static const struct debug_spaces *space_of(const struct link_map *map)
{
    const struct debug_spaces *space = next_space(first_space());

    while (map->l_prev)
        map = map->l_prev;
    while (space && space->base.r_map != map)
        space = next_space(space);
    return space;
}

const struct link_map *span_next_elsewhere(const struct link_map *before)
{
    const struct debug_spaces *space;

    if (before && before->l_next)
        return before->l_next;
    space = before ? space_of(before) : first_space();
    space = space ? next_space(space) : NULL;
    return space ? space->base.r_map : NULL;
}

/* Libraries begin with their header, which is mapped: at least the page that it is on. ld.so has one address in all
 * namespaces. */
static bool holds_elsewhere(const struct search *search, const struct link_map *map)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)map->l_addr;

    if (!map->l_addr || !span_is_file(map->l_name, map->l_addr) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_phoff + header->e_phnum * sizeof(Elf64_Phdr) > HEADER_BYTES)
        return false;
    return holds(search, map->l_addr, map->l_name, (const Elf64_Phdr *)(map->l_addr + header->e_phoff),
                 header->e_phnum);
}

int span_find(uintptr_t address, struct span *ret_span)
{
    struct search search = {address, ret_span};

    if (dl_iterate_phdr(match, &search))
        return 0;
    for (const struct link_map *map = span_next_elsewhere(NULL); map; map = span_next_elsewhere(map))
        if (holds_elsewhere(&search, map))
            return 0;
    return -ENOENT;
}
