#include "preload/control/reports/withheld.h"

#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

#include "preload/control/imports/import_table.h"
#include "preload/control/imports/slots.h"
#include "server/common/filtered.h"

enum {
    SLOTS_MAX = 8
};

/* A slot through which libraries of that name call a function, and what stands in for it. */
struct found {
    uintptr_t *slot;
    uintptr_t stand_in;
};

struct search {
    struct found found[SLOTS_MAX];
    size_t count;
    bool is_filtered;
    size_t objects_before;
    size_t object; /* the one that is looked into */
};

static int no_mincore(void *address, size_t bytes, unsigned char *pages)
{
    (void)address;
    (void)bytes;
    (void)pages;
    errno = ENOSYS;
    return -1;
}

static int no_pipe2(int *ends, int flags)
{
    (void)ends;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

static uintptr_t stand_in_of(const struct search *search, const char *name)
{
    if (strcmp(name, "pipe2") == 0)
        return search->object > search->objects_before ? (uintptr_t)no_pipe2 : 0;
    return search->is_filtered && strcmp(name, "mincore") == 0 ? (uintptr_t)no_mincore : 0;
}

static void add_slots(struct search *search, const struct import_table *table, const Elf64_Rela *relocations,
                      size_t count)
{
    for (size_t i = 0; i < count && search->count < SLOTS_MAX; i++) {
        const Elf64_Sym *symbol = &table->symbols[ELF64_R_SYM(relocations[i].r_info)];
        unsigned long type = ELF64_R_TYPE(relocations[i].r_info);
        uintptr_t *slot = import_table_slot(table, &relocations[i]);
        uintptr_t stand_in = stand_in_of(search, table->strings + symbol->st_name);

        if ((type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) && slot && stand_in)
            search->found[search->count++] = (struct found){slot, stand_in};
    }
}

static int look_into(struct dl_phdr_info *info, size_t size, void *context)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    struct search *search = context;
    struct import_table table;

    (void)size;
    search->object++;
    if (!slash || strncmp(slash, "/libunwind", strlen("/libunwind")) != 0 || !import_table_init(&table, info))
        return 0;
    add_slots(search, &table, table.jumps, table.jump_count);
    add_slots(search, &table, table.others, table.other_count);
    return 0;
}

bool withheld_begin(size_t objects_before)
{
    struct search search = {.is_filtered = filtered_is(), .objects_before = objects_before};
    struct slots slots;
    int result = 0;

    dl_iterate_phdr(look_into, &search);
    if (slots_init(&slots) != 0)
        return false;
    for (size_t i = 0; i < search.count && result == 0; i++)
        result = slots_write(&slots, search.found[i].slot, search.found[i].stand_in);
    slots_finish(&slots);
    return result == 0;
}
