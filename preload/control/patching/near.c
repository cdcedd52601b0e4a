#include "preload/control/patching/near.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "preload/shim.h"

#define REACH     ((uintptr_t)0x7ff00000) /* 2 GiB less a MiB for what an instruction's displacement counts from */
#define LOWEST    ((uintptr_t)0x10000)    /* vm.mmap_min_addr */
#define HIGHEST   ((uintptr_t)0x7fffffff0000)
#define HEAP_ROOM ((uintptr_t)0x40000000) /* kept free above an object: brk's heap grows there */
#define GUARD     ((uintptr_t)0x10000)    /* between us and a neighbour */
#define PAGE      ((uintptr_t)4096)

#define TRIAL_STEP ((uintptr_t)0x100000)

/* The places to try, best first: right below the object, then ever lower; then above. */
struct search {
    uintptr_t low, high; /* the object */
    size_t bytes;
    uintptr_t below; /* best address below; 0: none */
    uintptr_t above;
};

static void search_gap(struct search *search, uintptr_t begin, uintptr_t end)
{
    uintptr_t reach_low = search->high > REACH + LOWEST ? search->high - REACH : LOWEST;
    uintptr_t reach_high = search->low < HIGHEST - REACH ? search->low + REACH : HIGHEST;

    begin = begin + GUARD > reach_low ? begin + GUARD : reach_low;
    end = end < reach_high ? end : reach_high;
    if (end > GUARD)
        end -= GUARD;
    begin = (begin + PAGE - 1) & ~(PAGE - 1);
    end &= ~(PAGE - 1);
    if (begin >= end || end - begin < search->bytes)
        return;
    if (end <= search->low) {
        search->below = end - search->bytes; /* gaps come in ascending order: the last one below is the nearest */
    } else if (!search->above && begin > search->high) {
        uintptr_t address = begin > search->high + HEAP_ROOM ? begin : search->high + HEAP_ROOM;

        address = (address + PAGE - 1) & ~(PAGE - 1);
        if (address < end && end - address >= search->bytes)
            search->above = address;
    }
}

static int search_gaps(struct search *search)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    uintptr_t previous_end = LOWEST;

    if (!maps)
        return -errno;
    while (fgets(line, sizeof(line), maps)) {
        uintptr_t begin, end;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &begin, &end) != 2)
            continue;
        if (begin > previous_end)
            search_gap(search, previous_end, begin);
        previous_end = end;
    }
    fclose(maps);
    if (previous_end < HIGHEST)
        search_gap(search, previous_end, HIGHEST);
    return 0;
}

static bool map_at(uintptr_t address, size_t bytes, uint8_t **ret_memory)
{
    void *memory;

    if (!address)
        return false;
    memory =
        mmap((void *)address, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    *ret_memory = memory;
    return true;
}

bool near_reaches(uintptr_t address, size_t bytes, uintptr_t low, uintptr_t high)
{
    return (high > address ? high - address : 0) <= REACH &&
           (address + bytes > low ? address + bytes - low : 0) <= REACH;
}

/* Where the kernel does not tell what is free (no /proc), it is tried. */
static int map_by_trial(const struct search *search, uint8_t **ret_memory)
{
    for (uintptr_t distance = TRIAL_STEP; distance < REACH; distance += TRIAL_STEP) {
        uintptr_t below = (search->low & ~(PAGE - 1)) - distance;
        uintptr_t above = ((search->high + PAGE - 1) & ~(PAGE - 1)) + HEAP_ROOM + distance;

        if (search->low > distance + LOWEST && near_reaches(below, search->bytes, search->low, search->high) &&
            map_at(below, search->bytes, ret_memory))
            return 0;
        if (above < HIGHEST && near_reaches(above, search->bytes, search->low, search->high) &&
            map_at(above, search->bytes, ret_memory))
            return 0;
    }
    return -ENOMEM;
}

int near_map(uintptr_t low, uintptr_t high, size_t bytes, uint8_t **ret_memory)
{
    struct search search = {.low = low, .high = high, .bytes = (bytes + PAGE - 1) & ~(PAGE - 1)};

    if (search_gaps(&search) != 0)
        return map_by_trial(&search, ret_memory);
    if (map_at(search.below, search.bytes, ret_memory) || map_at(search.above, search.bytes, ret_memory))
        return 0;
    return -ENOMEM;
}

int near_seal(const struct shim *shim, void *memory, size_t bytes)
{
    if (mprotect(memory, bytes, PROT_READ | PROT_EXEC) == 0)
        return 0;
    return shim->machine->code_map(memory, memory, bytes);
}
