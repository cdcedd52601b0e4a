#include "preload/control/imports/slots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE ((uintptr_t)4096)

struct slots_mapping {
    uintptr_t begin, end;
    int flags; /* PROT_... */
};

static int add_mapping(struct slots *slots, const char *line)
{
    struct slots_mapping *mappings;
    uintptr_t begin, end;
    char flags[5];

    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, flags) != 3)
        return 0;
    mappings = reallocarray(slots->mappings, slots->count + 1, sizeof(*mappings));
    if (!mappings)
        return -ENOMEM;
    slots->mappings = mappings;
    mappings[slots->count++] = (struct slots_mapping){
        begin, end,
        (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) | (flags[2] == 'x' ? PROT_EXEC : 0)};
    return 0;
}

int slots_init(struct slots *slots)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    int result = 0;

    *slots = (struct slots){0};
    if (!maps)
        return -errno;
    while (result == 0 && fgets(line, sizeof(line), maps))
        result = add_mapping(slots, line);
    fclose(maps);
    if (result != 0)
        slots_finish(slots);
    return result;
}

static int flags_of(const struct slots *slots, uintptr_t address)
{
    for (size_t i = 0; i < slots->count; i++)
        if (address >= slots->mappings[i].begin && address < slots->mappings[i].end)
            return slots->mappings[i].flags;
    return PROT_NONE;
}

int slots_write(const struct slots *slots, uintptr_t *slot, uintptr_t value)
{
    void *page = (void *)((uintptr_t)slot & ~(PAGE - 1));
    int flags = flags_of(slots, (uintptr_t)slot);
    int result = 0;

    if (!(flags & PROT_READ) || flags & PROT_EXEC)
        return -EACCES;
    if (!(flags & PROT_WRITE) && mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0)
        return -errno;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    if (!(flags & PROT_WRITE) && mprotect(page, PAGE, flags) != 0)
        result = -errno;
    return result;
}

void slots_finish(struct slots *slots)
{
    free(slots->mappings);
}
