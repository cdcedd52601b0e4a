#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/debuginfo/member.h"
#include "symbols/debuginfo/pass.h"
#include "symbols/debuginfo/slot.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/type_value.h"
#include "symbols/debuginfo/units.h"
#include "symbols/values/value.h"

/* A parameter that was found. */
struct debuginfo_parameter {
    Dwarf_Die type; /* peeled */
    struct debuginfo_slot slot;
};

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

static int debuginfo_locate_in(struct debuginfo *debuginfo, struct debuginfo_parameter *parameter,
                               const struct debuginfo_query *query, struct value_location *location, struct diag *diag)
{
    Dwarf_Die type = parameter->type;
    uint64_t offset = 0;
    int result = 0;

    location->is_memory = parameter->slot.passing.way == DEBUGINFO_BY_REFERENCE;
    debuginfo_follow(&type, query->field, location);
    if (query->field)
        result = debuginfo_enter_member(debuginfo, &type, query->field, &offset, diag);
    if (result == 0)
        result = debuginfo_type_value(&type, location, diag);
    if (result == 0)
        result = debuginfo_apply_type(query->type, location, diag);
    if (result < 0)
        return result;
    if (offset > INT32_MAX)
        return diag_refuse(diag, -ENOTSUP, "it is too far into its struct");
    result = debuginfo_slot_place(&parameter->slot, location->is_memory ? 0 : offset, location, diag);
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
