#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/debuginfo/entry_place.h"
#include "symbols/debuginfo/member.h"
#include "symbols/debuginfo/pass.h"
#include "symbols/debuginfo/prototype.h"
#include "symbols/debuginfo/slot.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/type_value.h"
#include "symbols/debuginfo/units.h"
#include "symbols/values/value.h"

enum {
    DEBUGINFO_PLACE_BYTES_MAX = 200 * DEBUGINFO_WORD, /* of the stack, whose words' numbers fit in a value_location */
};

/* A function in which an argument is looked for, and what was found. */
struct debuginfo_parameter {
    struct debuginfo *debuginfo;
    uint64_t address;
    Dwarf_Die function;
    Dwarf_Die origin;
    Dwarf_Die die;  /* of the parameter in `origin` */
    Dwarf_Die type; /* peeled */
    struct debuginfo_slot slot;
    bool has_slot;   /* the slot is known: all arguments before it are of kinds that are passed in a known way */
    bool is_raw;     /* an argument that no parameter stands for: variadic, or the place of a large result */
    uint64_t offset; /* of what was asked for by number, in the parameter */
    struct diag why; /* there is no slot */
};

static bool debuginfo_is_wanted(Dwarf_Die *parameter, const char *wanted, struct debuginfo_list *list)
{
    const char *name = debuginfo_name(parameter);

    if (!name)
        return false;
    debuginfo_list_add(list, name);
    return strcmp(name, wanted) == 0;
}

/* Is the argument in the number-th register of its kind, or the stack word behind them, and at which byte? */
static bool debuginfo_covers(const struct debuginfo_slot *slot, const struct debuginfo_query *query,
                             uint64_t *ret_offset)
{
    const unsigned registers =
        query->is_vector ? (unsigned)DEBUGINFO_VECTOR_REGISTERS : (unsigned)DEBUGINFO_INTEGER_REGISTERS;
    const enum debuginfo_class wanted = query->is_vector ? DEBUGINFO_CLASS_SSE : DEBUGINFO_CLASS_INTEGER;
    unsigned next = query->is_vector ? slot->vectors : slot->integers;
    uint64_t word = (uint64_t)(query->number - 1 - registers) * DEBUGINFO_WORD;

    if (slot->passing.way == DEBUGINFO_BY_NOTHING)
        return false;
    *ret_offset = 0;
    if (slot->is_on_stack) {
        if (query->number <= registers || word < slot->stack || word >= slot->stack + slot->passing.bytes)
            return false;
        *ret_offset = word - slot->stack;
        return true;
    }
    if (slot->passing.way == DEBUGINFO_BY_REFERENCE)
        return !query->is_vector && next + 1 == query->number;
    for (uint64_t i = 0; i < 2; i++) {
        if (slot->passing.classes[i] == wanted && ++next == query->number) {
            *ret_offset = i * DEBUGINFO_WORD;
            return true;
        }
    }
    return false;
}

/* Sets the slot of the next parameter, as long as those are known. */
static void debuginfo_take(struct debuginfo_parameter *parameter, bool has_type)
{
    const char *name = debuginfo_name(&parameter->die);

    if (!parameter->has_slot)
        return;
    if (!has_type)
        diag_set(&parameter->why, "a parameter without a type");
    if (!has_type || debuginfo_pass(&parameter->type, &parameter->slot.passing, &parameter->why) < 0) {
        diag_wrap(&parameter->why, "\"%s\" is", name ? name : "(unnamed)");
        parameter->has_slot = false;
        return;
    }
    debuginfo_slot_take(&parameter->slot);
}

static int debuginfo_refuse_number(struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                                   struct diag *diag)
{
    if (!parameter->has_slot || debuginfo_is_open(&parameter->origin)) {
        parameter->is_raw = true;
        return 0;
    }
    diag_set(diag, "the function has no such argument");
    (void)query;
    return -EINVAL;
}

/* Goes through the parameters up to the one that is wanted. `origin` has them all; of the function itself, those that
 * were optimized away may be missing. */
static int debuginfo_walk_parameters(struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                                     struct diag *diag)
{
    struct debuginfo_list list = {0};
    Dwarf_Die *die = &parameter->die;
    bool is_more = debuginfo_child(&parameter->origin, die);

    for (; is_more; is_more = debuginfo_next(die)) {
        bool has_type;

        if (!debuginfo_is_passed(&parameter->function, die))
            continue;
        has_type = debuginfo_type_of(die, &parameter->type);
        debuginfo_take(parameter, has_type);
        if (query->param ? debuginfo_is_wanted(die, query->param, &list)
                         : parameter->has_slot && debuginfo_covers(&parameter->slot, query, &parameter->offset))
            return has_type ? 0 : diag_refuse(diag, -ENOTSUP, "it has no type");
        if (parameter->has_slot)
            debuginfo_slot_next(&parameter->slot);
    }
    if (!query->param)
        return debuginfo_refuse_number(parameter, query, diag);
    if (list.used)
        diag_set(diag, "the function has no parameter of that name; it has %s", list.text);
    else
        diag_set(diag, "the function has no parameters");
    return -ENOENT;
}

static int debuginfo_refuse_function(int error, struct diag *diag)
{
    if (error == -ENOMEM)
        diag_set(diag, "out of memory");
    else
        diag_set(diag, "the debug information %s, or give \"arg\" in place of \"param\"",
                 error == -ENOLINK ? "of this function is in a .dwo file, which is not read: build its source file "
                                     "without -gsplit-dwarf"
                                   : "says nothing of this function: build its source file with -g");
    return error;
}

static int debuginfo_find_parameter(struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                                    struct diag *diag)
{
    int result = debuginfo_find_function(parameter->debuginfo, parameter->address, &parameter->function);

    if (result < 0)
        return debuginfo_refuse_function(result, diag);
    parameter->origin = debuginfo_origin(&parameter->function);
    parameter->has_slot = debuginfo_slot_init(&parameter->function, &parameter->slot, &parameter->why) == 0;
    if (!query->param && parameter->has_slot && !query->is_vector && query->number <= parameter->slot.integers) {
        parameter->is_raw = true;
        return 0;
    }
    return debuginfo_walk_parameters(parameter, query, diag);
}

/* Follows a pointer or a reference, if the parameter is one, to where the value then is. */
static void debuginfo_follow(Dwarf_Die *type, bool is_field, struct value_location *location)
{
    int tag = dwarf_tag(type);
    bool is_reference = tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type;
    Dwarf_Die target;

    if (!is_reference && !(is_field && tag == DW_TAG_pointer_type))
        return;
    if (!debuginfo_type_of(type, &target))
        return;
    *type = target;
    location->is_memory = true;
}

/* Type and size of what is asked for by name, and where it is in the parameter, or in what that points to. */
static int debuginfo_type_named(const struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                                struct value_location *location, uint64_t *ret_offset, struct diag *diag)
{
    Dwarf_Die type = parameter->type;
    int result = 0;

    location->is_memory = parameter->has_slot && parameter->slot.passing.way == DEBUGINFO_BY_REFERENCE;
    debuginfo_follow(&type, query->field, location);
    if (query->field)
        result = debuginfo_enter_member(parameter->debuginfo, &type, query->field, ret_offset, diag);
    if (result == 0)
        result = debuginfo_type_value(&type, location, diag);
    if (result == 0)
        result = debuginfo_apply_type(query->type, location, diag);
    if (result == 0 && *ret_offset > INT32_MAX)
        return diag_refuse(diag, -ENOTSUP, "it is too far into its struct");
    return result;
}

/* The same by number. Of a struct in registers it is whatever part is there. */
static int debuginfo_type_numbered(const struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                                   struct value_location *location, uint64_t *ret_offset, struct diag *diag)
{
    Dwarf_Die type = parameter->type;

    *ret_offset = parameter->offset;
    location->type = (uint8_t)query->type;
    location->bytes = value_type_bytes(query->type);
    if (debuginfo_is_aggregate(&type) && parameter->slot.passing.way != DEBUGINFO_BY_REFERENCE)
        return 0;
    if (parameter->slot.passing.way == DEBUGINFO_BY_REFERENCE)
        *location = (struct value_location){.type = VALUE_POINTER, .bytes = DEBUGINFO_WORD};
    else if (debuginfo_type_value(&type, location, diag) < 0)
        return -EINVAL;
    return debuginfo_hold_type(query->type, location, diag);
}

/* Where the calling convention has it. */
static int debuginfo_place_by_convention(const struct debuginfo_parameter *parameter, uint64_t offset,
                                         struct value_location *location, struct diag *diag)
{
    int result = debuginfo_slot_place(&parameter->slot, location->is_memory ? 0 : offset, location, diag);

    if (result < 0)
        return result;
    if (location->is_memory)
        location->offset = (int64_t)offset;
    else if (location->offset % DEBUGINFO_WORD + location->bytes > DEBUGINFO_WORD)
        return diag_refuse(diag, -ENOTSUP, "it lies across two registers or words of the stack");
    return 0;
}

/* The function's own DIE of the parameter, which has the place. False: it has none. */
static bool debuginfo_find_own(struct debuginfo_parameter *parameter, Dwarf_Die *ret_die)
{
    Dwarf_Die die;
    Dwarf_Die origin;
    bool is_more = debuginfo_child(&parameter->function, &die);

    for (; is_more; is_more = debuginfo_next(&die)) {
        if (dwarf_tag(&die) != DW_TAG_formal_parameter)
            continue;
        if (die.addr != parameter->die.addr &&
            !(debuginfo_refer(&die, DW_AT_abstract_origin, &origin) && origin.addr == parameter->die.addr))
            continue;
        *ret_die = die;
        return true;
    }
    return false;
}

/* Reads a piece of the parameter: in place of `first` bytes into it. */
static bool debuginfo_read_piece(const struct debuginfo_piece *piece, uint64_t offset, bool is_pointer,
                                 struct value_location *location)
{
    uint64_t byte = is_pointer ? 0 : offset - piece->first;

    if (is_pointer && piece->is_behind)
        return false;
    location->offset = (int64_t)(is_pointer ? offset : byte);
    location->is_memory = is_pointer || piece->is_behind;
    if (piece->is_behind)
        location->offset = piece->behind + (int64_t)byte;
    location->number = (uint8_t)piece->number;
    location->place = piece->where == DEBUGINFO_IN_VECTOR ? VALUE_IN_VECTOR : VALUE_IN_REGISTER;
    if (piece->where == DEBUGINFO_IN_STACK) {
        uint64_t at = (uint64_t)piece->offset + byte;

        if (at >= DEBUGINFO_PLACE_BYTES_MAX)
            return false;
        location->number = (uint8_t)(VALUE_STACK_WORD_FIRST + at / DEBUGINFO_WORD);
        if (!location->is_memory)
            location->offset = (int64_t)(at % DEBUGINFO_WORD);
    }
    return location->is_memory || location->offset % DEBUGINFO_WORD + location->bytes <= DEBUGINFO_WORD;
}

/* What its place at the entry says. `is_reference`: the convention passes a pointer to it, of which DWARF does not
 * speak as of a parameter. */
static void debuginfo_find_evidence(struct debuginfo_parameter *parameter, uint64_t offset, bool is_pointer,
                                    struct debuginfo_found *found)
{
    struct debuginfo_entry_place place;
    const struct debuginfo_piece *piece;
    Dwarf_Die own;

    found->evidence = DEBUGINFO_GONE;
    if (!debuginfo_find_own(parameter, &own))
        return;
    debuginfo_entry_place(&parameter->function, &own, parameter->address, &place);
    piece = debuginfo_entry_piece(&place, is_pointer ? 0 : offset,
                                  is_pointer ? (uint64_t)DEBUGINFO_WORD : found->location.bytes);
    if (!piece || piece->where == DEBUGINFO_IN_ELSEWHERE)
        return;
    found->stored = found->location;
    if (!debuginfo_read_piece(piece, offset, is_pointer, &found->stored))
        return;
    if (piece->where != DEBUGINFO_IN_SLOT) {
        found->evidence = DEBUGINFO_PLACED;
        found->location = found->stored;
        return;
    }
    found->evidence = DEBUGINFO_STORED;
    found->is_slot_from_rsp = piece->is_from_rsp;
    found->slot = piece->offset + (found->stored.is_memory ? 0 : (int64_t)(offset - piece->first));
    if (!found->stored.is_memory)
        found->stored.offset = 0;
}

static int debuginfo_locate_in(struct debuginfo_parameter *parameter, const struct debuginfo_query *query,
                               struct debuginfo_found *found, struct diag *diag)
{
    struct value_location *location = &found->location;
    uint64_t offset = 0;
    bool is_pointer;
    int result = query->param ? debuginfo_type_named(parameter, query, location, &offset, diag)
                              : debuginfo_type_numbered(parameter, query, location, &offset, diag);

    if (result < 0)
        return result;
    is_pointer = location->is_memory && !(parameter->has_slot && parameter->slot.passing.way == DEBUGINFO_BY_REFERENCE);
    found->convention = *location;
    if (parameter->has_slot &&
        debuginfo_place_by_convention(parameter, offset, &found->convention, &parameter->why) == 0)
        found->has_convention = true;
    debuginfo_find_evidence(parameter, offset, is_pointer, found);
    if (found->evidence != DEBUGINFO_PLACED)
        found->location = found->convention;
    if (found->has_convention || found->evidence == DEBUGINFO_PLACED || found->evidence == DEBUGINFO_STORED)
        return 0;
    diag_set(diag, "%s", parameter->why.text[0] ? parameter->why.text : "it is in no place that can be read");
    return -ENOTSUP;
}

static void debuginfo_say_which(const struct debuginfo_query *query, struct diag *diag)
{
    if (query->param)
        diag_wrap(diag, "parameter \"%s\"", query->param);
    else
        diag_wrap(diag, "%sargument %u", query->is_vector ? "floating-point " : "", query->number);
}

int debuginfo_locate(struct debuginfo *debuginfo, uint64_t address, const struct debuginfo_query *query,
                     struct debuginfo_found *ret_found, struct diag *diag)
{
    struct debuginfo_parameter parameter = {.debuginfo = debuginfo, .address = address};
    struct debuginfo_found found = {0};
    int result = debuginfo_find_parameter(&parameter, query, diag);

    if (result == 0 && !parameter.is_raw) {
        result = debuginfo_locate_in(&parameter, query, &found, diag);
        if (result < 0 && query->field)
            diag_wrap(diag, "member \"%s\"", query->field);
    }
    if (result < 0) {
        debuginfo_say_which(query, diag);
        return result;
    }
    *ret_found = found;
    return 0;
}
