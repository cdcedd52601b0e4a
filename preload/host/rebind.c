#include "preload/host/rebind.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

/* What ld.so has made read-only once the object was relocated. */
struct sealed {
    const struct link_map *map;
    uintptr_t low, high;
};

static int note_sealed(struct dl_phdr_info *info, size_t size, void *context)
{
    struct sealed *sealed = context;

    (void)size;
    if (info->dlpi_addr != sealed->map->l_addr)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const Elf64_Phdr *segment = &info->dlpi_phdr[i];

        if (segment->p_type != PT_GNU_RELRO)
            continue;
        sealed->low = info->dlpi_addr + segment->p_vaddr;
        sealed->high = sealed->low + segment->p_memsz;
    }
    return 0;
}

/* A handle of dlopen looks in the object and the libraries behind it, and not in the program. */
static void *own_function(const struct link_map *map, const char *name)
{
    void *handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
    void *function = handle ? dlsym(handle, name) : NULL;

    if (handle)
        dlclose(handle);
    return function;
}

bool rebind(const struct link_map *map, const char *name, uintptr_t *slot)
{
    struct sealed sealed = {.map = map};
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)((uintptr_t)slot & ~(page_bytes - 1));
    void *function = own_function(map, name);
    bool is_sealed;

    if (!function || (uintptr_t)function == *slot)
        return false;
    dl_iterate_phdr(note_sealed, &sealed);
    is_sealed = (uintptr_t)page + page_bytes <= sealed.high && (uintptr_t)slot >= sealed.low;
    if (is_sealed && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    *slot = (uintptr_t)function;
    if (is_sealed)
        mprotect(page, page_bytes, PROT_READ);
    return true;
}
