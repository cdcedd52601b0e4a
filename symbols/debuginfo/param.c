#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/debuginfo/pass.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/type_value.h"
#include "symbols/debuginfo/units.h"
#include "symbols/values/value.h"

enum {
    DEBUGINFO_WORD = 8,
    DEBUGINFO_INTEGER_REGISTERS = 6,
    DEBUGINFO_VECTOR_REGISTERS = 8,
    DEBUGINFO_STACK_WORDS_MAX = 200, /* whose numbers fit in a value_location */
    DEBUGINFO_LIST_BYTES = 200,
    DEBUGINFO_LOOKED_AT_MAX = 1 << 16, /* members of one struct; more are those of damaged DWARF */
};

/* Where one argument goes, and where the next one will. */
struct debuginfo_slot {
    unsigned integers; /* registers taken before it */
    unsigned vectors;
    uint64_t stack; /* bytes taken before it; of one on the stack, where it is */
    bool is_on_stack;
    bool is_stack_disputed; /* from here on, where things lie on the stack is not certain */
    struct debuginfo_passing passing;
};

/* A parameter that was found. */
struct debuginfo_parameter {
    Dwarf_Die type; /* peeled */
    struct debuginfo_slot slot;
};

/* Names for a message. */
struct debuginfo_list {
    char text[DEBUGINFO_LIST_BYTES];
    size_t used;
    unsigned looked_at; /* what was considered, listed or not */
};

static void debuginfo_list_add(struct debuginfo_list *list, const char *name)
{
    size_t room = sizeof(list->text) - list->used;
    size_t length = strlen(name);

    if (list->used > sizeof(list->text) - 4)
        return;
    if (length + 8 > room) {
        memcpy(list->text + list->used, "...", 4);
        list->used = sizeof(list->text);
        return;
    }
    list->used += (size_t)snprintf(list->text + list->used, room, "%s%s", list->used ? ", " : "", name);
}

/* Is the convention that of C on this machine? */
static int debuginfo_check_convention(Dwarf_Die *function, Dwarf_Die *origin, struct diag *diag)
{
    uint64_t convention;
    Dwarf_Die unit;
    int language = -1;

    if (debuginfo_number(function, DW_AT_calling_convention, &convention) && convention != DW_CC_normal)
        return diag_refuse(diag, -ENOTSUP, "the compiler gave the function a calling convention of its own");
    if (dwarf_diecu(origin, &unit, NULL, NULL))
        language = dwarf_srclang(&unit);
    if (language < 0 && dwarf_diecu(function, &unit, NULL, NULL))
        language = dwarf_srclang(&unit);
    switch (language) {
    case -1:
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
    case DW_LANG_ObjC:
    case DW_LANG_ObjC_plus_plus:
    case 0x002b: /* C++17, C++20, C17: newer than Debian's dwarf.h */
    case 0x002c:
    case 0x002d:
        return 0;
    default:
        diag_set(diag, "parameters are found by name in C and C++ only; give \"arg\" in place of \"param\"");
        return -ENOTSUP;
    }
}

/* Moves on behind an argument. */
static void debuginfo_slot_next(struct debuginfo_slot *slot)
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

/* Chooses between the registers that are left and the stack. */
static void debuginfo_slot_take(struct debuginfo_slot *slot)
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

/* Before the first argument: the address where a large result goes takes the first register. */
static int debuginfo_slot_init(Dwarf_Die *function, struct debuginfo_slot *slot, struct diag *diag)
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

/* Has the function a parameter of that name itself? */
static bool debuginfo_has_parameter(Dwarf_Die *function, const char *name)
{
    Dwarf_Die die;

    if (!debuginfo_child(function, &die))
        return false;
    do {
        const char *found = dwarf_tag(&die) == DW_TAG_formal_parameter ? debuginfo_name(&die) : NULL;

        if (found && strcmp(found, name) == 0)
            return true;
    } while (debuginfo_next(&die));
    return false;
}

/* The abstract form of a C++ constructor or destructor has parameters which not every one of its real forms gets. */
static bool debuginfo_is_passed(Dwarf_Die *function, Dwarf_Die *parameter)
{
    const char *name = debuginfo_name(parameter);

    if (dwarf_tag(parameter) != DW_TAG_formal_parameter)
        return false;
    if (!name || !dwarf_hasattr_integrate(parameter, DW_AT_artificial) || strncmp(name, "__", 2) != 0)
        return true;
    return strcmp(name, "__in_chrg") != 0 && debuginfo_has_parameter(function, name);
}

static bool debuginfo_is_wanted(Dwarf_Die *parameter, const char *wanted, struct debuginfo_list *list)
{
    const char *name = debuginfo_name(parameter);

    if (!name)
        return false;
    debuginfo_list_add(list, name);
    return strcmp(name, wanted) == 0;
}

/* Goes through the parameters up to the one that is wanted. `origin` has them all; of the function itself, those that
 * were optimized away may be missing. */
static int debuginfo_walk_parameters(Dwarf_Die *function, Dwarf_Die *origin, const char *wanted,
                                     struct debuginfo_parameter *parameter, struct diag *diag)
{
    struct debuginfo_list list = {0};
    struct debuginfo_slot *slot = &parameter->slot;
    Dwarf_Die die;
    bool is_more = debuginfo_child(origin, &die);

    for (; is_more; is_more = debuginfo_next(&die)) {
        const char *name;
        int result = -ENOTSUP;

        if (!debuginfo_is_passed(function, &die))
            continue;
        name = debuginfo_name(&die);
        if (debuginfo_type_of(&die, &parameter->type))
            result = debuginfo_pass(&parameter->type, &slot->passing, diag);
        else
            diag_set(diag, "a parameter without a type");
        if (result < 0) {
            diag_wrap(diag, "\"%s\" is", name ? name : "(unnamed)");
            return result;
        }
        debuginfo_slot_take(slot);
        if (debuginfo_is_wanted(&die, wanted, &list))
            return 0;
        debuginfo_slot_next(slot);
    }
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

static int debuginfo_find_parameter(struct debuginfo *debuginfo, uint64_t address, const char *wanted,
                                    struct debuginfo_parameter *parameter, struct diag *diag)
{
    Dwarf_Die function;
    Dwarf_Die origin;
    int result = debuginfo_find_function(debuginfo, address, &function);

    if (result < 0)
        return debuginfo_refuse_function(result, diag);
    if (!dwarf_hasattr(&function, DW_AT_abstract_origin) || !debuginfo_refer(&function, DW_AT_abstract_origin, &origin))
        origin = function;
    result = debuginfo_check_convention(&function, &origin, diag);
    if (result == 0)
        result = debuginfo_slot_init(&function, &parameter->slot, diag);
    if (result == 0)
        result = debuginfo_walk_parameters(&function, &origin, wanted, parameter, diag);
    return result;
}

static int debuginfo_place_stack(const struct debuginfo_slot *slot, uint64_t offset, struct value_location *location,
                                 struct diag *diag)
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

/* Where the byte `offset` of an argument is: register, vector or stack word, and which byte of it. */
static int debuginfo_place(const struct debuginfo_slot *slot, uint64_t offset, struct value_location *location,
                           struct diag *diag)
{
    const enum debuginfo_class *classes = slot->passing.classes;
    size_t eightbyte = (size_t)(offset / DEBUGINFO_WORD);
    bool is_integer;
    bool is_second;

    if (slot->is_on_stack)
        return debuginfo_place_stack(slot, offset, location, diag);
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

/* A member that was looked for. */
struct debuginfo_member {
    Dwarf_Die die;
    uint64_t offset; /* in the outermost struct */
};

static int debuginfo_find_member(Dwarf_Die *type, const char *wanted, uint64_t offset, int depth,
                                 struct debuginfo_member *ret_member, struct debuginfo_list *list);

/* A base class, or a struct or union without a name: its members are members of the outer one. */
static int debuginfo_find_inner(Dwarf_Die *member, const char *wanted, uint64_t offset, int depth,
                                struct debuginfo_member *ret_member, struct debuginfo_list *list)
{
    Dwarf_Die type;
    uint64_t at;

    if (depth >= DEBUGINFO_DEPTH_MAX || !debuginfo_member_offset(member, &at) || !debuginfo_type_of(member, &type) ||
        !debuginfo_is_aggregate(&type))
        return -ENOENT;
    return debuginfo_find_member(&type, wanted, offset + at, depth + 1, ret_member, list);
}

/* Own members come before those of base classes, which they hide. */
static int debuginfo_find_member(Dwarf_Die *type, const char *wanted, uint64_t offset, int depth,
                                 struct debuginfo_member *ret_member, struct debuginfo_list *list)
{
    for (int pass = 0; pass < 2; pass++) {
        bool is_more = debuginfo_child(type, &ret_member->die);
        Dwarf_Die die = ret_member->die;

        for (; is_more; is_more = debuginfo_next(&die)) {
            int tag = dwarf_tag(&die);
            const char *name = debuginfo_name(&die);
            bool is_own = tag == DW_TAG_member && name;
            uint64_t at;

            if (++list->looked_at > DEBUGINFO_LOOKED_AT_MAX)
                return -ENOENT;
            if (is_own && pass == 0 && debuginfo_member_offset(&die, &at)) {
                debuginfo_list_add(list, name);
                if (strcmp(name, wanted) == 0) {
                    *ret_member = (struct debuginfo_member){.die = die, .offset = offset + at};
                    return 0;
                }
            }
            if (pass == (tag == DW_TAG_inheritance) && !is_own && (tag == DW_TAG_member || tag == DW_TAG_inheritance) &&
                debuginfo_find_inner(&die, wanted, offset, depth, ret_member, list) == 0)
                return 0;
        }
    }
    return -ENOENT;
}

static int debuginfo_refuse_member(Dwarf_Die *type, const struct debuginfo_list *list, struct diag *diag)
{
    const char *name = debuginfo_name(type);

    if (debuginfo_flag(type, DW_AT_declaration))
        diag_set(diag,
                 "struct %s is only declared where the function is compiled, and its members are told nowhere else",
                 name ? name : "(unnamed)");
    else if (list->used)
        diag_set(diag, "struct %s has no member of that name; it has %s", name ? name : "(unnamed)", list->text);
    else
        diag_set(diag, "struct %s has no members", name ? name : "(unnamed)");
    return -ENOENT;
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

/* The member's type replaces the struct's. */
static int debuginfo_enter(struct debuginfo *debuginfo, Dwarf_Die *type, const char *field, uint64_t *ret_offset,
                           struct diag *diag)
{
    struct debuginfo_list list = {0};
    struct debuginfo_member member;

    if (!debuginfo_is_aggregate(type))
        return diag_refuse(diag, -ENOTSUP, "the parameter is no struct, and no pointer to one");
    if (debuginfo_flag(type, DW_AT_declaration))
        debuginfo_find_definition(debuginfo, type);
    if (debuginfo_find_member(type, field, 0, 0, &member, &list) < 0)
        return debuginfo_refuse_member(type, &list, diag);
    if (debuginfo_is_bitfield(&member.die))
        return diag_refuse(diag, -ENOTSUP, "it is a bit field");
    if (!debuginfo_type_of(&member.die, type))
        return diag_refuse(diag, -ENOTSUP, "it has no type");
    *ret_offset = member.offset;
    return 0;
}

static int debuginfo_locate_in(struct debuginfo *debuginfo, struct debuginfo_parameter *parameter,
                               const struct debuginfo_query *query, struct value_location *location, struct diag *diag)
{
    Dwarf_Die type = parameter->type;
    uint64_t offset = 0;
    int result = 0;

    location->is_memory = parameter->slot.passing.way == DEBUGINFO_BY_REFERENCE;
    debuginfo_follow(&type, query->field, location);
    if (query->field)
        result = debuginfo_enter(debuginfo, &type, query->field, &offset, diag);
    if (result == 0)
        result = debuginfo_type_value(&type, location, diag);
    if (result == 0)
        result = debuginfo_apply_type(query->type, location, diag);
    if (result < 0)
        return result;
    if (offset > INT32_MAX)
        return diag_refuse(diag, -ENOTSUP, "it is too far into its struct");
    result = debuginfo_place(&parameter->slot, location->is_memory ? 0 : offset, location, diag);
    if (result < 0)
        return result;
    if (location->is_memory)
        location->offset = (int64_t)offset;
    else if (location->offset % DEBUGINFO_WORD + location->bytes > DEBUGINFO_WORD)
        return diag_refuse(diag, -ENOTSUP, "it lies across two registers or words of the stack");
    return 0;
}

int debuginfo_locate(struct debuginfo *debuginfo, uint64_t address, const struct debuginfo_query *query,
                     struct value_location *ret_location, struct diag *diag)
{
    struct debuginfo_parameter parameter = {0};
    struct value_location location = {0};
    int result = debuginfo_find_parameter(debuginfo, address, query->param, &parameter, diag);

    if (result == 0) {
        result = debuginfo_locate_in(debuginfo, &parameter, query, &location, diag);
        if (result < 0 && query->field)
            diag_wrap(diag, "member \"%s\"", query->field);
    }
    if (result < 0) {
        diag_wrap(diag, "parameter \"%s\"", query->param);
        return result;
    }
    *ret_location = location;
    return 0;
}
