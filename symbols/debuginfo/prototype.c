#include "symbols/debuginfo/prototype.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/type_value.h"
#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_WRITTEN_DEPTH_MAX = 8, /* of pointers to pointers */
};

Dwarf_Die debuginfo_origin(Dwarf_Die *function)
{
    Dwarf_Die origin;

    if (!dwarf_hasattr(function, DW_AT_abstract_origin) || !debuginfo_refer(function, DW_AT_abstract_origin, &origin))
        return *function;
    return origin;
}

static int debuginfo_language(Dwarf_Die *function, Dwarf_Die *origin)
{
    Dwarf_Die unit;
    int language = -1;

    if (dwarf_diecu(origin, &unit, NULL, NULL))
        language = dwarf_srclang(&unit);
    if (language < 0 && dwarf_diecu(function, &unit, NULL, NULL))
        language = dwarf_srclang(&unit);
    return language;
}

bool debuginfo_is_c(Dwarf_Die *function, Dwarf_Die *origin)
{
    switch (debuginfo_language(function, origin)) {
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
    case DW_LANG_Mips_Assembler: /* which says nothing of parameters */
    case 0x002b:                 /* C++17, C++20, C17: newer than Debian's dwarf.h */
    case 0x002c:
    case 0x002d:
        return true;
    default:
        return false;
    }
}

bool debuginfo_has_own_convention(Dwarf_Die *function)
{
    uint64_t convention;

    return debuginfo_number(function, DW_AT_calling_convention, &convention) && convention != DW_CC_normal;
}

/* The abstract form of a C++ constructor or destructor has parameters which not every one of its real forms gets. */
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

bool debuginfo_is_passed(Dwarf_Die *function, Dwarf_Die *parameter)
{
    const char *name = debuginfo_name(parameter);

    if (dwarf_tag(parameter) != DW_TAG_formal_parameter)
        return false;
    if (!name || !dwarf_hasattr_integrate(parameter, DW_AT_artificial) || strncmp(name, "__", 2) != 0)
        return true;
    return strcmp(name, "__in_chrg") != 0 && debuginfo_has_parameter(function, name);
}

static bool debuginfo_has_child(Dwarf_Die *parent, int tag)
{
    Dwarf_Die die;
    bool is_more = debuginfo_child(parent, &die);

    for (; is_more; is_more = debuginfo_next(&die))
        if (dwarf_tag(&die) == tag)
            return true;
    return false;
}

bool debuginfo_has_prototype(Dwarf_Die *origin)
{
    Dwarf_Attribute attribute;
    bool is_set = false;

    if (debuginfo_language(origin, origin) == DW_LANG_Mips_Assembler)
        return false; /* where GNU as says that the result is of no known type */
    if (dwarf_attr_integrate(origin, DW_AT_prototyped, &attribute) && dwarf_formflag(&attribute, &is_set) == 0 &&
        is_set)
        return true;
    return dwarf_hasattr_integrate(origin, DW_AT_type) || debuginfo_has_child(origin, DW_TAG_formal_parameter);
}

bool debuginfo_is_open(Dwarf_Die *origin)
{
    Dwarf_Die unit;
    int language = dwarf_diecu(origin, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1;
    bool is_cxx = language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_03 ||
                  language == DW_LANG_C_plus_plus_11 || language == DW_LANG_C_plus_plus_14 || language == 0x002b ||
                  language == 0x002c;
    Dwarf_Attribute attribute;
    bool is_set = false;

    if (debuginfo_has_child(origin, DW_TAG_unspecified_parameters))
        return true;
    if (debuginfo_has_child(origin, DW_TAG_formal_parameter) || (is_cxx && debuginfo_has_prototype(origin)))
        return false;
    return !(dwarf_attr_integrate(origin, DW_AT_prototyped, &attribute) && dwarf_formflag(&attribute, &is_set) == 0 &&
             is_set);
}

/* Text that is written: what does not fit is cut. */
struct debuginfo_writer {
    char *text;
    size_t bytes;
    size_t used;
    bool is_cut;
};

static void debuginfo_write(struct debuginfo_writer *writer, const char *text)
{
    static const char dots[] = "...";
    size_t length = strlen(text);

    if (writer->is_cut)
        return;
    if (writer->used + length + sizeof(dots) > writer->bytes) {
        writer->is_cut = true;
        text = dots;
        length = sizeof(dots) - 1;
    }
    memcpy(writer->text + writer->used, text, length + 1);
    writer->used += length;
}

static void debuginfo_write_type(struct debuginfo_writer *writer, Dwarf_Die *type, int depth);

/* The type that a DIE is of; void if it has none. */
static void debuginfo_write_type_of(struct debuginfo_writer *writer, Dwarf_Die *die, int depth)
{
    Dwarf_Die type;

    if (debuginfo_refer(die, DW_AT_type, &type) && depth < DEBUGINFO_WRITTEN_DEPTH_MAX)
        debuginfo_write_type(writer, &type, depth + 1);
    else
        debuginfo_write(writer, "void");
}

static bool debuginfo_ends_with_star(const struct debuginfo_writer *writer)
{
    return writer->used && strchr("*&", writer->text[writer->used - 1]);
}

static void debuginfo_write_derived(struct debuginfo_writer *writer, Dwarf_Die *type, const char *mark, int depth)
{
    Dwarf_Die target;

    if (debuginfo_refer(type, DW_AT_type, &target) && dwarf_tag(&target) == DW_TAG_subroutine_type) {
        debuginfo_write_type_of(writer, &target, depth);
        debuginfo_write(writer, debuginfo_ends_with_star(writer) ? "(*)()" : " (*)()");
        return;
    }
    debuginfo_write_type_of(writer, type, depth);
    debuginfo_write(writer, debuginfo_ends_with_star(writer) ? "" : " ");
    debuginfo_write(writer, mark);
}

static void debuginfo_write_named(struct debuginfo_writer *writer, Dwarf_Die *type, const char *word)
{
    const char *name = debuginfo_name(type);
    Dwarf_Die unit;
    int language = dwarf_diecu(type, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1;

    if (!name || language == DW_LANG_C89 || language == DW_LANG_C99 || language == DW_LANG_C11 || language == 0x002c)
        debuginfo_write(writer, word);
    debuginfo_write(writer, name ? name : "(unnamed)");
}

static void debuginfo_write_type(struct debuginfo_writer *writer, Dwarf_Die *type, int depth)
{
    const char *name = debuginfo_name(type);
    Dwarf_Die target;

    switch (dwarf_tag(type)) {
    case DW_TAG_const_type:
        /* that a pointer itself is one says nothing to callers */
        if (!debuginfo_refer(type, DW_AT_type, &target) || !debuginfo_is_pointer(dwarf_tag(&target)))
            debuginfo_write(writer, "const ");
        debuginfo_write_type_of(writer, type, depth);
        return;
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
        debuginfo_write_type_of(writer, type, depth);
        return;
    case DW_TAG_pointer_type:
        if (name) /* Rust's have names */
            debuginfo_write(writer, name);
        else
            debuginfo_write_derived(writer, type, "*", depth);
        return;
    case DW_TAG_reference_type:
        debuginfo_write_derived(writer, type, "&", depth);
        return;
    case DW_TAG_rvalue_reference_type:
        debuginfo_write_derived(writer, type, "&&", depth);
        return;
    case DW_TAG_array_type:
        debuginfo_write_type_of(writer, type, depth);
        debuginfo_write(writer, "[]");
        return;
    case DW_TAG_structure_type:
        debuginfo_write_named(writer, type, "struct ");
        return;
    case DW_TAG_union_type:
        debuginfo_write_named(writer, type, "union ");
        return;
    case DW_TAG_enumeration_type:
        debuginfo_write_named(writer, type, "enum ");
        return;
    default:
        debuginfo_write(writer, name ? name : "?");
    }
}

void debuginfo_write_prototype(Dwarf_Die *function, char *text, size_t bytes)
{
    struct debuginfo_writer writer = {.text = text, .bytes = bytes};
    Dwarf_Die origin = debuginfo_origin(function);
    const char *name = debuginfo_name(function);
    Dwarf_Die die;
    bool is_more = debuginfo_child(&origin, &die);
    bool is_first = true;

    debuginfo_write_type_of(&writer, function, 0);
    debuginfo_write(&writer, debuginfo_ends_with_star(&writer) ? "" : " ");
    debuginfo_write(&writer, name ? name : "(unnamed)");
    debuginfo_write(&writer, "(");
    for (; is_more; is_more = debuginfo_next(&die)) {
        bool is_variadic = dwarf_tag(&die) == DW_TAG_unspecified_parameters;
        const char *parameter = debuginfo_name(&die);

        if (!is_variadic && !debuginfo_is_passed(function, &die))
            continue;
        debuginfo_write(&writer, is_first ? "" : ", ");
        is_first = false;
        if (is_variadic) {
            debuginfo_write(&writer, "...");
            continue;
        }
        debuginfo_write_type_of(&writer, &die, 0);
        debuginfo_write(&writer, !parameter || debuginfo_ends_with_star(&writer) ? "" : " ");
        debuginfo_write(&writer, parameter ? parameter : "");
    }
    if (is_first && !debuginfo_is_open(&origin))
        debuginfo_write(&writer, "void");
    debuginfo_write(&writer, ")");
}

/* "GNU C17 12.2.0 -O2 -g", "GNU AS 2.40"; LLVM's names begin otherwise. */
static bool debuginfo_is_gnu(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;
    const char *producer = dwarf_attr(unit, DW_AT_producer, &attribute) ? dwarf_formstring(&attribute) : NULL;

    return producer && strncmp(producer, "GNU ", 4) == 0;
}

static void debuginfo_judge_result(Dwarf_Die *function, struct debuginfo_function *judged)
{
    Dwarf_Die type;
    struct diag ignored = {0};

    judged->is_void = !debuginfo_type_of(function, &type);
    if (judged->is_void)
        return;
    if (debuginfo_type_value(&type, &judged->result, &ignored) < 0)
        judged->result = (struct value_location){.type = VALUE_VOID};
}

int debuginfo_function(struct debuginfo *debuginfo, uint64_t address, struct debuginfo_function *ret_function)
{
    struct debuginfo_function judged = {0};
    Dwarf_Die function;
    Dwarf_Die origin;
    Dwarf_Die unit;
    Dwarf_Attribute attribute;
    int result = debuginfo_find_function(debuginfo, address, &function);

    if (result < 0)
        return result;
    origin = debuginfo_origin(&function);
    judged.is_gnu = dwarf_diecu(&function, &unit, NULL, NULL) && debuginfo_is_gnu(&unit);
    judged.is_c = debuginfo_is_c(&function, &origin);
    judged.has_own_convention = debuginfo_has_own_convention(&function);
    if (dwarf_attr_integrate(&function, DW_AT_external, &attribute))
        dwarf_formflag(&attribute, &judged.is_external);
    judged.has_prototype = debuginfo_has_prototype(&origin);
    if (judged.has_prototype)
        debuginfo_judge_result(&function, &judged);
    debuginfo_write_prototype(&function, judged.prototype, sizeof(judged.prototype));
    *ret_function = judged;
    return 0;
}

bool debuginfo_is_all_gnu(struct debuginfo *debuginfo)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;

    while (dwarf_get_units(debuginfo->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        int tag = dwarf_tag(&die);

        if ((tag == DW_TAG_compile_unit || tag == DW_TAG_skeleton_unit) && !debuginfo_is_gnu(&die))
            return false;
    }
    return true;
}
