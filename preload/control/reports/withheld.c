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

/* The slots through which libraries of that name call it. */
struct search {
    uintptr_t *slots[SLOTS_MAX];
    size_t count;
};

static int not_available(void *address, size_t bytes, unsigned char *pages)
{
    (void)address;
    (void)bytes;
    (void)pages;
    errno = ENOSYS;
    return -1;
}

static void add_slots(struct search *search, const struct import_table *table, const Elf64_Rela *relocations,
                      size_t count)
{
    for (size_t i = 0; i < count && search->count < SLOTS_MAX; i++) {
        const Elf64_Sym *symbol = &table->symbols[ELF64_R_SYM(relocations[i].r_info)];
        unsigned long type = ELF64_R_TYPE(relocations[i].r_info);
        uintptr_t *slot = import_table_slot(table, &relocations[i]);

        if ((type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT) && slot &&
            strcmp(table->strings + symbol->st_name, "mincore") == 0)
            search->slots[search->count++] = slot;
    }
}

static int look_into(struct dl_phdr_info *info, size_t size, void *context)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    struct import_table table;

    (void)size;
    if (!slash || strncmp(slash, "/libunwind", strlen("/libunwind")) != 0 || !import_table_init(&table, info))
        return 0;
    add_slots(context, &table, table.jumps, table.jump_count);
    add_slots(context, &table, table.others, table.other_count);
    return 0;
}

bool withheld_begin(void)
{
    struct search search = {0};
    struct slots slots;
    int result = 0;

    if (!filtered_is())
        return true;
    dl_iterate_phdr(look_into, &search);
    if (slots_init(&slots) != 0)
        return false;
    for (size_t i = 0; i < search.count && result == 0; i++)
        result = slots_write(&slots, search.slots[i], (uintptr_t)not_available);
    slots_finish(&slots);
    return result == 0;
}
