#include "symbols/debuginfo/type.h"

#include <dwarf.h>

#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_EIGHTBYTE = 8
};

bool debuginfo_peel(Dwarf_Die *type)
{
    for (int depth = 0; depth < DEBUGINFO_DEPTH_MAX; depth++) {
        switch (dwarf_tag(type)) {
        case DW_TAG_typedef:
        case DW_TAG_const_type:
        case DW_TAG_volatile_type:
        case DW_TAG_restrict_type:
        case DW_TAG_atomic_type:
        case DW_TAG_immutable_type:
        case DW_TAG_packed_type:
        case DW_TAG_shared_type:
            if (!debuginfo_refer(type, DW_AT_type, type))
                return false;
            break;
        case DW_TAG_invalid:
            return false;
        default:
            if (!debuginfo_refer(type, DW_AT_signature, type)) /* gcc -fdebug-types-section: elsewhere */
                return true;
        }
    }
    return false;
}

bool debuginfo_type_of(Dwarf_Die *die, Dwarf_Die *ret_type)
{
    Dwarf_Die type;

    if (!debuginfo_refer(die, DW_AT_type, &type) || !debuginfo_peel(&type))
        return false;
    *ret_type = type;
    return true;
}

bool debuginfo_is_aggregate(Dwarf_Die *type)
{
    int tag = dwarf_tag(type);

    return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

bool debuginfo_is_pointer(int tag)
{
    return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type ||
           tag == DW_TAG_unspecified_type;
}

uint64_t debuginfo_array_length(Dwarf_Die *array)
{
    Dwarf_Die range;
    uint64_t length = 0;
    uint64_t bound = 0;
    int dimensions = 0;

    if (!debuginfo_child(array, &range))
        return 0;
    do {
        if (dwarf_tag(&range) != DW_TAG_subrange_type)
            continue;
        dimensions++;
        if (debuginfo_number(&range, DW_AT_count, &bound))
            length = bound;
        else if (debuginfo_number(&range, DW_AT_upper_bound, &bound))
            length = bound + 1;
    } while (debuginfo_next(&range));
    return dimensions == 1 ? length : 0;
}

/* The product of all dimensions. */
static bool debuginfo_array_elements(Dwarf_Die *array, uint64_t *ret_count)
{
    Dwarf_Die range;
    uint64_t count = 1;

    if (!debuginfo_child(array, &range))
        return false;
    do {
        uint64_t bound;

        if (dwarf_tag(&range) != DW_TAG_subrange_type)
            continue;
        if (debuginfo_number(&range, DW_AT_count, &bound))
            ;
        else if (debuginfo_number(&range, DW_AT_upper_bound, &bound))
            bound++;
        else
            bound = 0; /* a flexible array, at the end of a struct */
        if (__builtin_mul_overflow(count, bound, &count))
            return false;
    } while (debuginfo_next(&range));
    *ret_count = count;
    return true;
}

static bool debuginfo_array_bytes(Dwarf_Die *array, int depth, uint64_t *ret_bytes);

static bool debuginfo_bytes_at(Dwarf_Die *type, int depth, uint64_t *ret_bytes)
{
    int tag = dwarf_tag(type);

    if (debuginfo_number(type, DW_AT_byte_size, ret_bytes))
        return true;
    if (debuginfo_flag(type, DW_AT_declaration))
        return false;
    if (debuginfo_is_pointer(tag)) {
        *ret_bytes = DEBUGINFO_EIGHTBYTE;
        return true;
    }
    if (tag == DW_TAG_ptr_to_member_type) {
        Dwarf_Die target;

        *ret_bytes = DEBUGINFO_EIGHTBYTE;
        if (debuginfo_type_of(type, &target) && dwarf_tag(&target) == DW_TAG_subroutine_type)
            *ret_bytes = 2 * DEBUGINFO_EIGHTBYTE;
        return true;
    }
    if (tag == DW_TAG_enumeration_type) {
        Dwarf_Die base;

        return debuginfo_type_of(type, &base) && debuginfo_number(&base, DW_AT_byte_size, ret_bytes);
    }
    return tag == DW_TAG_array_type && debuginfo_array_bytes(type, depth, ret_bytes);
}

static bool debuginfo_array_bytes(Dwarf_Die *array, int depth, uint64_t *ret_bytes)
{
    Dwarf_Die element;
    uint64_t count;
    uint64_t bytes;

    return depth < DEBUGINFO_DEPTH_MAX && debuginfo_type_of(array, &element) &&
           debuginfo_bytes_at(&element, depth + 1, &bytes) && debuginfo_array_elements(array, &count) &&
           !__builtin_mul_overflow(bytes, count, ret_bytes);
}

bool debuginfo_type_bytes(Dwarf_Die *type, uint64_t *ret_bytes)
{
    return debuginfo_bytes_at(type, 0, ret_bytes);
}

/* As DWARF 2 and 3 write it: what to do to the address of the struct (section 5.5.6 of DWARF 3). */
static bool debuginfo_expressed_offset(Dwarf_Die *member, uint64_t *ret_offset)
{
    Dwarf_Attribute location;
    Dwarf_Op *operations;
    size_t count;

    if (!dwarf_attr_integrate(member, DW_AT_data_member_location, &location) ||
        dwarf_getlocation(&location, &operations, &count) != 0 || count != 1 || operations[0].atom != DW_OP_plus_uconst)
        return false;
    *ret_offset = operations[0].number;
    return true;
}

bool debuginfo_member_offset(Dwarf_Die *member, uint64_t *ret_offset)
{
    uint64_t bits;

    if (debuginfo_flag(member, DW_AT_external) || debuginfo_flag(member, DW_AT_declaration))
        return false;
    if (dwarf_hasattr(member, DW_AT_data_member_location))
        return debuginfo_number(member, DW_AT_data_member_location, ret_offset) ||
               debuginfo_expressed_offset(member, ret_offset);
    if (debuginfo_number(member, DW_AT_data_bit_offset, &bits)) {
        *ret_offset = bits / 8;
        return true;
    }
    *ret_offset = 0; /* of a union */
    return true;
}

bool debuginfo_is_bitfield(Dwarf_Die *member)
{
    return dwarf_hasattr(member, DW_AT_bit_size);
}
