#include "symbols/debuginfo/slot.h"

#include <errno.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/type.h"
#include "symbols/values/value.h"

enum {
    DEBUGINFO_STACK_WORDS_MAX = 200, /* whose numbers fit in a value_location */
};

void debuginfo_slot_next(struct debuginfo_slot *slot)
{
    const struct debuginfo_passing *passing = &slot->passing;

    if (passing->way == DEBUGINFO_BY_NOTHING)
        return;
    if (slot->is_on_stack) {
        uint64_t bytes = passing->way == DEBUGINFO_BY_REFERENCE ? DEBUGINFO_WORD : passing->bytes;

        slot->stack += (bytes + DEBUGINFO_WORD - 1) / DEBUGINFO_WORD * DEBUGINFO_WORD;
        return;
    }
    if (passing->way == DEBUGINFO_BY_REFERENCE)
        slot->integers++;
    for (size_t i = 0; passing->way == DEBUGINFO_BY_REGISTERS && i < 2; i++) {
        slot->integers += passing->classes[i] == DEBUGINFO_CLASS_INTEGER;
        slot->vectors += passing->classes[i] == DEBUGINFO_CLASS_SSE;
    }
}

void debuginfo_slot_take(struct debuginfo_slot *slot)
{
    const struct debuginfo_passing *passing = &slot->passing;
    struct debuginfo_slot after = *slot;
    uint64_t alignment = passing->way == DEBUGINFO_BY_REFERENCE ? DEBUGINFO_WORD : passing->alignment;

    slot->is_on_stack = false;
    after.is_on_stack = false;
    debuginfo_slot_next(&after);
    if (passing->way == DEBUGINFO_BY_NOTHING)
        return;
    if (passing->way != DEBUGINFO_BY_MEMORY && after.integers <= DEBUGINFO_INTEGER_REGISTERS &&
        after.vectors <= DEBUGINFO_VECTOR_REGISTERS)
        return;
    slot->is_on_stack = true;
    if (passing->is_alignment_disputed && slot->stack % alignment != 0)
        slot->is_stack_disputed = true;
    slot->stack = (slot->stack + alignment - 1) / alignment * alignment;
}

int debuginfo_slot_init(Dwarf_Die *function, struct debuginfo_slot *slot, struct diag *diag)
{
    struct debuginfo_passing passing;
    Dwarf_Die type;

    memset(slot, 0, sizeof(*slot));
    if (!debuginfo_type_of(function, &type))
        return 0;
    if (debuginfo_pass(&type, &passing, diag) < 0) {
        diag_wrap(diag, "the numbers of the arguments depend on the result, which is");
        return -ENOTSUP;
    }
    if (passing.way == DEBUGINFO_BY_REFERENCE || (passing.way == DEBUGINFO_BY_MEMORY && !passing.is_x87))
        slot->integers = 1;
    return 0;
}

static int debuginfo_slot_place_stack(const struct debuginfo_slot *slot, uint64_t offset,
                                      struct value_location *location, struct diag *diag)
{
    uint64_t at = slot->stack + offset;

    if (slot->is_stack_disputed)
        return diag_refuse(diag, -ENOTSUP,
                           "where on the stack it is depends on an alignment that the debug information does not tell");
    if (offset > DEBUGINFO_STACK_WORDS_MAX * DEBUGINFO_WORD || at >= DEBUGINFO_STACK_WORDS_MAX * DEBUGINFO_WORD)
        return diag_refuse(diag, -ENOTSUP, "it is too far up the stack");
    location->place = VALUE_IN_REGISTER;
    location->number = (uint8_t)(VALUE_STACK_WORD_FIRST + at / DEBUGINFO_WORD);
    location->offset = (int64_t)(at % DEBUGINFO_WORD);
    return 0;
}

int debuginfo_slot_place(const struct debuginfo_slot *slot, uint64_t offset, struct value_location *location,
                         struct diag *diag)
{
    const enum debuginfo_class *classes = slot->passing.classes;
    size_t eightbyte = (size_t)(offset / DEBUGINFO_WORD);
    bool is_integer;
    bool is_second;

    if (slot->is_on_stack)
        return debuginfo_slot_place_stack(slot, offset, location, diag);
    if (slot->passing.way == DEBUGINFO_BY_REFERENCE) {
        location->number = (uint8_t)slot->integers;
        return 0;
    }
    if (slot->passing.way != DEBUGINFO_BY_REGISTERS || eightbyte > 1 || classes[eightbyte] == DEBUGINFO_CLASS_NONE)
        return diag_refuse(diag, -ENOTSUP, "it is in no register");
    is_integer = classes[eightbyte] == DEBUGINFO_CLASS_INTEGER;
    is_second = eightbyte == 1 && classes[0] == classes[1];
    location->place = is_integer ? VALUE_IN_REGISTER : VALUE_IN_VECTOR;
    location->number = (uint8_t)((is_integer ? slot->integers : slot->vectors) + is_second);
    location->offset = (int64_t)(offset % DEBUGINFO_WORD);
    return 0;
}
