#include "symbols/debuginfo/pass.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_EIGHTBYTE = 8,
    DEBUGINFO_REGISTER_BYTES_MAX = 16, /* of what is passed in registers */
    DEBUGINFO_MEMBERS_MAX = 1 << 16,   /* looked at in one type; more are those of damaged DWARF */
};

/* A type taken apart. */
struct debuginfo_sorter {
    struct debuginfo_passing *passing;
    struct diag *diag;
    unsigned members; /* and elements */
    unsigned scalars;
    uint64_t end; /* of the members so far, in the argument */
};

static int debuginfo_refuse(struct debuginfo_sorter *sorter, const char *reason)
{
    return diag_refuse(sorter->diag, -ENOTSUP, reason);
}

/* The class of two that meet in an eightbyte. */
static void debuginfo_merge(struct debuginfo_sorter *sorter, uint64_t offset, enum debuginfo_class class)
{
    enum debuginfo_class *merged;

    if (offset >= DEBUGINFO_REGISTER_BYTES_MAX)
        return;
    merged = &sorter->passing->classes[offset / DEBUGINFO_EIGHTBYTE];
    if (*merged == DEBUGINFO_CLASS_NONE || class == DEBUGINFO_CLASS_MEMORY)
        *merged = class;
    else if (class == DEBUGINFO_CLASS_INTEGER && *merged == DEBUGINFO_CLASS_SSE)
        *merged = class;
}

static void debuginfo_reach(struct debuginfo_sorter *sorter, uint64_t end)
{
    if (end > sorter->end)
        sorter->end = end;
}

/* Files a scalar of `bytes` bytes. One that is not aligned sends the whole struct to memory. */
static int debuginfo_sort_scalar(struct debuginfo_sorter *sorter, uint64_t offset, uint64_t bytes,
                                 enum debuginfo_class class)
{
    uint64_t alignment = bytes ? bytes : 1;

    sorter->scalars++;
    debuginfo_reach(sorter, offset + bytes);
    if (alignment > DEBUGINFO_REGISTER_BYTES_MAX || (alignment & (alignment - 1)) != 0 || offset % alignment != 0)
        class = DEBUGINFO_CLASS_MEMORY;
    if (alignment <= DEBUGINFO_REGISTER_BYTES_MAX && alignment > sorter->passing->alignment)
        sorter->passing->alignment = alignment;
    debuginfo_merge(sorter, offset, class);
    if (bytes > DEBUGINFO_EIGHTBYTE)
        debuginfo_merge(sorter, offset + DEBUGINFO_EIGHTBYTE, class);
    return 0;
}

/* A vector of 16 bytes, in one register: its second eightbyte is none of its own, unless something else lies there. */
static int debuginfo_sort_vector(struct debuginfo_sorter *sorter, uint64_t offset, uint64_t bytes)
{
    bool is_alone = sorter->passing->classes[1] == DEBUGINFO_CLASS_NONE;

    if (bytes > DEBUGINFO_REGISTER_BYTES_MAX)
        return debuginfo_refuse(sorter, "vectors of more than 16 bytes are passed as the compiler's options say");
    debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_SSE);
    if (bytes == DEBUGINFO_REGISTER_BYTES_MAX && offset == 0 && is_alone)
        sorter->passing->classes[1] = DEBUGINFO_CLASS_NONE;
    return 0;
}

static int debuginfo_sort_long_double(struct debuginfo_sorter *sorter, uint64_t offset, uint64_t bytes)
{
    sorter->passing->is_x87 = true;
    return debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_MEMORY);
}

static int debuginfo_sort_float(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, uint64_t bytes)
{
    const char *name = debuginfo_name(type);

    if (bytes < DEBUGINFO_REGISTER_BYTES_MAX)
        return debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_SSE);
    if (name && (strcmp(name, "long double") == 0 || strcmp(name, "_Float64x") == 0))
        return debuginfo_sort_long_double(sorter, offset, bytes);
    if (name && (strcmp(name, "__float128") == 0 || strcmp(name, "_Float128") == 0))
        return debuginfo_sort_vector(sorter, offset, bytes);
    return debuginfo_refuse(sorter, "a floating-point type of more than 8 bytes that is not known by its name");
}

static int debuginfo_sort_complex(struct debuginfo_sorter *sorter, uint64_t offset, uint64_t bytes)
{
    uint64_t part = bytes / 2;

    if (part > DEBUGINFO_EIGHTBYTE) {
        sorter->passing->is_x87 = true;
        sorter->passing->alignment = DEBUGINFO_REGISTER_BYTES_MAX;
        debuginfo_merge(sorter, offset, DEBUGINFO_CLASS_MEMORY);
        return 0;
    }
    debuginfo_sort_scalar(sorter, offset, part, DEBUGINFO_CLASS_SSE);
    return debuginfo_sort_scalar(sorter, offset + part, part, DEBUGINFO_CLASS_SSE);
}

static int debuginfo_sort_base(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, uint64_t bytes)
{
    uint64_t encoding = 0;

    debuginfo_number(type, DW_AT_encoding, &encoding);
    switch (encoding) {
    case DW_ATE_boolean:
    case DW_ATE_signed:
    case DW_ATE_signed_char:
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
    case DW_ATE_address:
        /* __int128 on the stack: gcc aligns it to 16 bytes, as the ABI says; clang before 18 to 8 */
        sorter->passing->is_alignment_disputed |= bytes == DEBUGINFO_REGISTER_BYTES_MAX;
        return debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_INTEGER);
    case DW_ATE_float:
        return debuginfo_sort_float(sorter, type, offset, bytes);
    case DW_ATE_decimal_float:
        return bytes < DEBUGINFO_REGISTER_BYTES_MAX ? debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_SSE)
                                                    : debuginfo_sort_vector(sorter, offset, bytes);
    case DW_ATE_complex_float:
        return debuginfo_sort_complex(sorter, offset, bytes);
    default:
        return debuginfo_refuse(sorter, "a type of no known kind");
    }
}

static int debuginfo_sort(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, int depth);

static int debuginfo_sort_array(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, int depth)
{
    Dwarf_Die element;
    uint64_t bytes;
    uint64_t element_bytes;
    int result = 0;

    if (!debuginfo_type_bytes(type, &bytes) || !debuginfo_type_of(type, &element) ||
        !debuginfo_type_bytes(&element, &element_bytes))
        return debuginfo_refuse(sorter, "an array of unknown size");
    if (debuginfo_flag(type, DW_AT_GNU_vector))
        return debuginfo_sort_vector(sorter, offset, bytes);
    if (element_bytes == 0 || bytes == 0)
        return 0;
    for (uint64_t at = 0; at < bytes && offset + at < DEBUGINFO_REGISTER_BYTES_MAX && result == 0; at += element_bytes)
        result = debuginfo_sort(sorter, &element, offset + at, depth + 1);
    debuginfo_reach(sorter, offset + bytes);
    return result;
}

/* Both ends of a bit field: it may lie in two eightbytes, or share one with others. */
static void debuginfo_sort_bitfield(struct debuginfo_sorter *sorter, Dwarf_Die *member, uint64_t offset)
{
    uint64_t bits = 0;
    uint64_t first = 0;
    uint64_t storage = 0;
    uint64_t from_top = 0;

    debuginfo_number(member, DW_AT_bit_size, &bits);
    if (debuginfo_number(member, DW_AT_data_bit_offset, &first)) {
        offset -= first / 8;
    } else if (debuginfo_number(member, DW_AT_byte_size, &storage) &&
               debuginfo_number(member, DW_AT_bit_offset, &from_top)) {
        /* DWARF 2 to 4: counted from the most significant bit of the storage unit */
        first = storage * 8 - from_top - bits;
    }
    debuginfo_merge(sorter, offset + first / 8, DEBUGINFO_CLASS_INTEGER);
    debuginfo_merge(sorter, offset + (first + bits - 1) / 8, DEBUGINFO_CLASS_INTEGER);
    debuginfo_reach(sorter, offset + (first + bits + 7) / 8);
}

static int debuginfo_sort_member(struct debuginfo_sorter *sorter, Dwarf_Die *member, uint64_t offset, int depth)
{
    int tag = dwarf_tag(member);
    uint64_t at;
    Dwarf_Die type;

    if (tag != DW_TAG_member && tag != DW_TAG_inheritance)
        return 0;
    if (tag == DW_TAG_inheritance && dwarf_hasattr(member, DW_AT_virtuality))
        return debuginfo_refuse(sorter, "a class with a virtual base");
    if (!debuginfo_member_offset(member, &at))
        return 0;
    if (!debuginfo_type_of(member, &type))
        return debuginfo_refuse(sorter, "a member of unknown type");
    if (debuginfo_is_bitfield(member)) {
        debuginfo_sort_bitfield(sorter, member, offset + at);
        return 0;
    }
    return debuginfo_sort(sorter, &type, offset + at, depth + 1);
}

/* DWARF before 5 does not tell of an alignment that the program asked for; but the padding at the end does. */
static void debuginfo_doubt_alignment(struct debuginfo_sorter *sorter, uint64_t offset, uint64_t bytes)
{
    struct debuginfo_passing *passing = sorter->passing;
    uint64_t end = (sorter->end - offset + passing->alignment - 1) / passing->alignment * passing->alignment;

    if (bytes <= end || bytes % DEBUGINFO_REGISTER_BYTES_MAX != 0)
        return;
    passing->alignment = DEBUGINFO_REGISTER_BYTES_MAX;
    passing->is_alignment_disputed = true;
}

static int debuginfo_sort_members(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, int depth)
{
    uint64_t end = sorter->end;
    uint64_t bytes = 0;
    uint64_t alignment;
    Dwarf_Die member;
    bool is_more = debuginfo_child(type, &member);
    int result = 0;

    if (debuginfo_flag(type, DW_AT_declaration))
        return debuginfo_refuse(sorter, "a struct that is only declared where the function is compiled");
    if (debuginfo_number(type, DW_AT_alignment, &alignment) && alignment > sorter->passing->alignment)
        sorter->passing->alignment = alignment;
    sorter->end = offset;
    for (; is_more && result == 0; is_more = debuginfo_next(&member))
        result = debuginfo_sort_member(sorter, &member, offset, depth);
    debuginfo_type_bytes(type, &bytes);
    debuginfo_doubt_alignment(sorter, offset, bytes);
    sorter->end = end;
    debuginfo_reach(sorter, offset + bytes);
    return result;
}

/* Takes a type apart that begins `offset` bytes into the argument. */
static int debuginfo_sort(struct debuginfo_sorter *sorter, Dwarf_Die *type, uint64_t offset, int depth)
{
    int tag = dwarf_tag(type);
    uint64_t bytes;

    if (++sorter->members > DEBUGINFO_MEMBERS_MAX)
        return debuginfo_refuse(sorter, "a type with too many members");
    if (depth > DEBUGINFO_DEPTH_MAX)
        return debuginfo_refuse(sorter, "types that are nested too deeply");
    if (debuginfo_is_aggregate(type))
        return debuginfo_sort_members(sorter, type, offset, depth);
    if (tag == DW_TAG_array_type)
        return debuginfo_sort_array(sorter, type, offset, depth);
    if (!debuginfo_type_bytes(type, &bytes))
        return debuginfo_refuse(sorter, "a type of unknown size");
    if (tag == DW_TAG_base_type)
        return debuginfo_sort_base(sorter, type, offset, bytes);
    if (tag == DW_TAG_ptr_to_member_type && bytes == 2 * DEBUGINFO_EIGHTBYTE) {
        debuginfo_sort_scalar(sorter, offset, DEBUGINFO_EIGHTBYTE, DEBUGINFO_CLASS_INTEGER);
        return debuginfo_sort_scalar(sorter, offset + DEBUGINFO_EIGHTBYTE, DEBUGINFO_EIGHTBYTE,
                                     DEBUGINFO_CLASS_INTEGER);
    }
    if (debuginfo_is_pointer(tag) || tag == DW_TAG_enumeration_type || tag == DW_TAG_ptr_to_member_type)
        return debuginfo_sort_scalar(sorter, offset, bytes, DEBUGINFO_CLASS_INTEGER);
    return debuginfo_refuse(sorter, "a type of no known kind");
}

/* A constructor that takes a reference to its own class. */
static bool debuginfo_is_copier(Dwarf_Die *function, Dwarf_Die *class)
{
    Dwarf_Die parameter;
    Dwarf_Die type;

    if (!debuginfo_child(function, &parameter))
        return false;
    do {
        int tag;

        if (dwarf_tag(&parameter) != DW_TAG_formal_parameter || dwarf_hasattr(&parameter, DW_AT_artificial))
            continue;
        if (!debuginfo_type_of(&parameter, &type))
            return false;
        tag = dwarf_tag(&type);
        return (tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type) &&
               debuginfo_type_of(&type, &type) && dwarf_dieoffset(&type) == dwarf_dieoffset(class);
    } while (debuginfo_next(&parameter));
    return false;
}

/* May an object be copied by its bytes alone? Itanium C++ ABI, "non-trivial for the purposes of calls". */
enum debuginfo_copying {
    DEBUGINFO_COPIED_AS_BYTES,
    DEBUGINFO_COPIED_UNKNOWN,
    DEBUGINFO_COPIED_BY_CODE,
};

/* A destructor or a copying constructor. That it is the default one, or none at all, is told from DWARF 5 on. */
static enum debuginfo_copying debuginfo_judge_copier(Dwarf_Die *function)
{
    uint64_t defaulted = DW_DEFAULTED_no;
    Dwarf_Half version = 0;

    if (dwarf_hasattr(function, DW_AT_artificial))
        return DEBUGINFO_COPIED_AS_BYTES; /* the implicit one: what the members are decides */
    if (dwarf_cu_info(function->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) != 0 || version < 5 ||
        dwarf_hasattr(function, DW_AT_deleted))
        return DEBUGINFO_COPIED_UNKNOWN;
    debuginfo_number(function, DW_AT_defaulted, &defaulted);
    return defaulted == DW_DEFAULTED_in_class ? DEBUGINFO_COPIED_AS_BYTES : DEBUGINFO_COPIED_BY_CODE;
}

/* Has a function of that name its class's? That of a template's instance goes without the arguments. */
static bool debuginfo_is_constructor(Dwarf_Die *class, const char *name)
{
    const char *own = debuginfo_name(class);
    size_t length = own ? strcspn(own, "<") : 0;

    return length > 0 && strncmp(own, name, length) == 0 && (name[length] == '\0' || name[length] == '<');
}

static enum debuginfo_copying debuginfo_judge_class(Dwarf_Die *class, int depth, unsigned *members);

/* What one member, member function or base class makes of its class. */
static enum debuginfo_copying debuginfo_judge_member(Dwarf_Die *class, Dwarf_Die *member, int depth, unsigned *members)
{
    const char *name = debuginfo_name(member);
    int tag = dwarf_tag(member);
    Dwarf_Die type;

    if (tag == DW_TAG_subprogram && name &&
        (name[0] == '~' || (debuginfo_is_constructor(class, name) && debuginfo_is_copier(member, class))))
        return debuginfo_judge_copier(member);
    if (tag == DW_TAG_member && name && strncmp(name, "_vptr", 5) == 0)
        return DEBUGINFO_COPIED_BY_CODE;
    if (tag == DW_TAG_inheritance && dwarf_hasattr(member, DW_AT_virtuality))
        return DEBUGINFO_COPIED_BY_CODE;
    if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || debuginfo_flag(member, DW_AT_external) ||
        !debuginfo_type_of(member, &type))
        return DEBUGINFO_COPIED_AS_BYTES;
    for (int i = 0; i < DEBUGINFO_DEPTH_MAX && dwarf_tag(&type) == DW_TAG_array_type; i++) {
        if (!debuginfo_type_of(&type, &type))
            break;
    }
    if (!debuginfo_is_aggregate(&type))
        return DEBUGINFO_COPIED_AS_BYTES;
    return debuginfo_judge_class(&type, depth + 1, members);
}

static enum debuginfo_copying debuginfo_judge_class(Dwarf_Die *class, int depth, unsigned *members)
{
    enum debuginfo_copying worst = DEBUGINFO_COPIED_AS_BYTES;
    Dwarf_Die member;
    bool is_more = debuginfo_child(class, &member);

    if (depth > DEBUGINFO_DEPTH_MAX || debuginfo_flag(class, DW_AT_declaration))
        return DEBUGINFO_COPIED_UNKNOWN;
    for (; is_more && worst < DEBUGINFO_COPIED_BY_CODE; is_more = debuginfo_next(&member)) {
        enum debuginfo_copying copying;

        if (++*members > DEBUGINFO_MEMBERS_MAX)
            return DEBUGINFO_COPIED_UNKNOWN;
        copying = debuginfo_judge_member(class, &member, depth, members);
        worst = copying > worst ? copying : worst;
    }
    return worst;
}

/* Clang says which C++ objects are passed by reference; of other compilers' the members tell. */
static int debuginfo_pass_class(Dwarf_Die *type, struct debuginfo_passing *passing, struct diag *diag)
{
    uint64_t convention;
    unsigned members = 0;
    enum debuginfo_copying copying;

    if (debuginfo_number(type, DW_AT_calling_convention, &convention))
        copying = convention == DW_CC_pass_by_reference ? DEBUGINFO_COPIED_BY_CODE : DEBUGINFO_COPIED_AS_BYTES;
    else
        copying = debuginfo_judge_class(type, 0, &members);
    if (copying == DEBUGINFO_COPIED_BY_CODE)
        passing->way = DEBUGINFO_BY_REFERENCE;
    if (copying != DEBUGINFO_COPIED_UNKNOWN)
        return 0;
    return diag_refuse(diag, -ENOTSUP,
                       "a C++ object of which the debug information does not say whether it is passed by reference");
}

static enum debuginfo_way debuginfo_settle(const struct debuginfo_passing *passing)
{
    const enum debuginfo_class *classes = passing->classes;

    if (passing->bytes > DEBUGINFO_REGISTER_BYTES_MAX || classes[0] == DEBUGINFO_CLASS_MEMORY ||
        classes[1] == DEBUGINFO_CLASS_MEMORY)
        return DEBUGINFO_BY_MEMORY;
    if (classes[0] == DEBUGINFO_CLASS_NONE && classes[1] == DEBUGINFO_CLASS_NONE)
        return DEBUGINFO_BY_NOTHING;
    return DEBUGINFO_BY_REGISTERS;
}

int debuginfo_pass(Dwarf_Die *type, struct debuginfo_passing *ret_passing, struct diag *diag)
{
    struct debuginfo_passing passing = {.alignment = DEBUGINFO_EIGHTBYTE};
    struct debuginfo_sorter sorter = {.passing = &passing, .diag = diag};
    int result = 0;

    if (debuginfo_is_aggregate(type))
        result = debuginfo_pass_class(type, &passing, diag);
    if (result == 0 && passing.way != DEBUGINFO_BY_REFERENCE) {
        if (!debuginfo_type_bytes(type, &passing.bytes))
            return debuginfo_refuse(&sorter, "a type whose size is not known where the function is compiled");
        if (dwarf_tag(type) == DW_TAG_array_type && !debuginfo_flag(type, DW_AT_GNU_vector))
            return debuginfo_refuse(&sorter, "an array that is passed by value");
        result = debuginfo_sort(&sorter, type, 0, 0);
    }
    if (result < 0)
        return result;
    /* a struct around one long double comes back as that; not so a union, or a struct around a complex one */
    if (sorter.scalars > 1 || (debuginfo_is_aggregate(type) && passing.bytes > DEBUGINFO_REGISTER_BYTES_MAX))
        passing.is_x87 = false;
    if (passing.way != DEBUGINFO_BY_REFERENCE)
        passing.way = debuginfo_settle(&passing);
    *ret_passing = passing;
    return 0;
}
