/* What DWARF says of types of C and C++: what they stand for, how large they are, where their members lie. Private to
 * symbols/debuginfo/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_TYPE_H
#define CALLMETER_SYMBOLS_DEBUGINFO_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

/* The type without typedefs and qualifiers. False: there is none (void), or the DWARF is damaged. */
bool debuginfo_peel(Dwarf_Die *type);

/* The type of a parameter, a member or a function's result, peeled. False: void. */
bool debuginfo_type_of(Dwarf_Die *die, Dwarf_Die *ret_type);

/* Bytes of a peeled type. False: it is not known, as of a struct that is only declared. */
bool debuginfo_type_bytes(Dwarf_Die *type, uint64_t *ret_bytes);

/* Elements of an array of one dimension; 0 if that is not known. */
uint64_t debuginfo_array_length(Dwarf_Die *array);

/* True for the tags of pointers and references, and of what is like one (std::nullptr_t). */
bool debuginfo_is_pointer(int tag);

/* A struct, a union or a class. */
bool debuginfo_is_aggregate(Dwarf_Die *type);

/* Where a member is in its struct. False: a static member, or the offset is not a constant. */
bool debuginfo_member_offset(Dwarf_Die *member, uint64_t *ret_offset);

bool debuginfo_is_bitfield(Dwarf_Die *member);

#endif
