#include "preload/control/imports/import_uses.h"

#include <string.h>

#include "preload/control/imports/import_flow.h"

enum {
    DISPLACEMENT_BYTES = 4,
    LEADING_BYTES = 3, /* of a mov: REX, opcode, ModRM */
};

/* Slots that are looked for, and one segment of the code. */
struct search {
    const struct import_table *table;
    uintptr_t *const *slots;
    enum import_use *uses;
    size_t count;
    const uint8_t *code;
    size_t code_bytes;
};

/* The slot at an address, or `count`. */
static size_t slot_at(const struct search *search, uintptr_t address)
{
    size_t low = 0;
    size_t high = search->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if ((uintptr_t)search->slots[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->count && (uintptr_t)search->slots[low] == address ? low : search->count;
}

/* What the instruction does that has the slot's displacement at `at`: call and jmp of memory are ff /2 and ff /4. */
static enum import_use use_at(const struct search *search, const uint8_t *at)
{
    size_t before = (size_t)(at - search->code);
    bool is_load;

    if (before >= LEADING_BYTES - 1 && at[-2] == 0xff && (at[-1] == 0x15 || at[-1] == 0x25))
        return IMPORT_CALLED;
    is_load =
        before >= LEADING_BYTES && (at[-3] == 0x48 || at[-3] == 0x4c) && at[-2] == 0x8b && (at[-1] & 0xc7) == 0x05;
    if (is_load && import_flow_is_called(search->table, search->code, search->code_bytes, at - LEADING_BYTES))
        return IMPORT_CALLED;
    return IMPORT_TAKEN;
}

/* Every four bytes are looked at as if they were a displacement. Those that are not, and fit by chance, make a slot
 * look taken, which does no harm. */
static void search_segment(struct search *search)
{
    uintptr_t low = (uintptr_t)search->slots[0];
    uintptr_t span = (uintptr_t)search->slots[search->count - 1] - low;

    for (size_t i = 0; i + DISPLACEMENT_BYTES <= search->code_bytes; i++) {
        const uint8_t *at = search->code + i;
        int32_t displacement;
        uintptr_t target;
        size_t slot;

        memcpy(&displacement, at, sizeof(displacement));
        target = (uintptr_t)at + DISPLACEMENT_BYTES + (uintptr_t)(intptr_t)displacement;
        if (target - low > span)
            continue;
        slot = slot_at(search, target);
        if (slot == search->count || search->uses[slot] == IMPORT_TAKEN)
            continue;
        search->uses[slot] = use_at(search, at);
    }
}

void import_uses_find(const struct import_table *table, uintptr_t *const *slots, enum import_use *uses, size_t count)
{
    struct search search = {.table = table, .slots = slots, .uses = uses, .count = count};

    for (size_t i = 0; i < count; i++)
        uses[i] = IMPORT_UNUSED;
    for (size_t i = 0; i < table->segment_count && count > 0; i++) {
        const Elf64_Phdr *segment = &table->segments[i];

        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || !(segment->p_flags & PF_R))
            continue;
        search.code = (const uint8_t *)(table->load_bias + segment->p_vaddr);
        search.code_bytes = segment->p_filesz;
        search_segment(&search);
    }
}
