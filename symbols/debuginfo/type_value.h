/* What kind of value a type of C or C++ is. Private to symbols/debuginfo/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_TYPE_VALUE_H
#define CALLMETER_SYMBOLS_DEBUGINFO_TYPE_VALUE_H

#include <elfutils/libdw.h>

#include "symbols/values/value.h"

struct diag;

/* Sets type, bytes and string_bytes of a location (whose is_memory is set) by a peeled type. -ENOTSUP: no value of that
 * type can be read, and the diag says why. */
int debuginfo_type_value(Dwarf_Die *type, struct value_location *location, struct diag *diag);

/* Takes the manifest's word for the type (VALUE_VOID: it has none), where it is one that the value can have; else
 * -EINVAL. */
int debuginfo_apply_type(enum value_type wanted, struct value_location *location, struct diag *diag);

/* The same of an argument that is given by number, whose type is the manifest's alone: it has to be of the size that it
 * has; what is narrower than any type of the manifest is read as DWARF has it. */
int debuginfo_hold_type(enum value_type wanted, struct value_location *location, struct diag *diag);

#endif
