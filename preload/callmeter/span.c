#include "preload/callmeter/span.h"

#include <errno.h>
#include <link.h>

struct search {
    uintptr_t address;
    struct span *span;
};

static int match(struct dl_phdr_info *info, size_t size, void *context)
{
    struct search *search = context;
    uintptr_t low = UINTPTR_MAX;
    uintptr_t high = 0;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        low = begin < low ? begin : low;
        high = begin + segment->p_memsz > high ? begin + segment->p_memsz : high;
    }
    if (search->address < low || search->address >= high)
        return 0;
    *search->span = (struct span){low, high, info->dlpi_addr, info->dlpi_name};
    return 1;
}

int span_find(uintptr_t address, struct span *ret_span)
{
    struct search search = {address, ret_span};

    return dl_iterate_phdr(match, &search) ? 0 : -ENOENT;
}
