#include "symbols/debuginfo/type_value.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_POINTER_BYTES = 8
};

static bool debuginfo_is_signed(uint64_t encoding)
{
    return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

static int debuginfo_type_integer(bool is_signed, uint64_t bytes, struct value_location *location, struct diag *diag)
{
    if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
        return diag_refuse(diag, -ENOTSUP, "it is an integer of more than 8 bytes");
    if (bytes == 8)
        location->type = is_signed ? VALUE_INT64 : VALUE_UINT64;
    else
        location->type = is_signed ? VALUE_INT32 : VALUE_UINT32;
    location->bytes = (uint8_t)bytes;
    return 0;
}

static int debuginfo_type_base(Dwarf_Die *type, struct value_location *location, struct diag *diag)
{
    uint64_t encoding = 0;
    uint64_t bytes = 0;

    debuginfo_number(type, DW_AT_encoding, &encoding);
    debuginfo_number(type, DW_AT_byte_size, &bytes);
    switch (encoding) {
    case DW_ATE_boolean:
        location->type = VALUE_BOOL;
        location->bytes = 1;
        return bytes == 1 ? 0 : debuginfo_type_integer(false, bytes, location, diag);
    case DW_ATE_float:
        if (bytes != 4 && bytes != 8)
            return diag_refuse(diag, -ENOTSUP, "it is neither a float nor a double, but of another size");
        location->type = bytes == 4 ? VALUE_FLOAT : VALUE_DOUBLE;
        location->bytes = (uint8_t)bytes;
        return 0;
    case DW_ATE_signed:
    case DW_ATE_signed_char:
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
        return debuginfo_type_integer(debuginfo_is_signed(encoding), bytes, location, diag);
    default:
        return diag_refuse(diag, -ENOTSUP, "its type is no number");
    }
}

static int debuginfo_type_enum(Dwarf_Die *type, struct value_location *location, struct diag *diag)
{
    uint64_t bytes = 4;
    uint64_t encoding = DW_ATE_signed;
    Dwarf_Die base;

    debuginfo_type_bytes(type, &bytes);
    if (debuginfo_type_of(type, &base))
        debuginfo_number(&base, DW_AT_encoding, &encoding);
    return debuginfo_type_integer(debuginfo_is_signed(encoding), bytes, location, diag);
}

/* A plain character; `unsigned char` is as often a byte, and is a string only where the manifest says so. */
static bool debuginfo_is_character(Dwarf_Die *type)
{
    uint64_t bytes = 0;
    uint64_t encoding = 0;
    const char *name = debuginfo_name(type);

    return dwarf_tag(type) == DW_TAG_base_type && debuginfo_number(type, DW_AT_byte_size, &bytes) && bytes == 1 &&
           debuginfo_number(type, DW_AT_encoding, &encoding) &&
           (encoding == DW_ATE_signed_char || encoding == DW_ATE_UTF || (name && strcmp(name, "char") == 0));
}

static void debuginfo_type_pointer(Dwarf_Die *type, struct value_location *location)
{
    Dwarf_Die target;

    location->bytes = DEBUGINFO_POINTER_BYTES;
    location->type = VALUE_POINTER;
    if (dwarf_tag(type) == DW_TAG_pointer_type && debuginfo_type_of(type, &target) && debuginfo_is_character(&target))
        location->type = VALUE_CSTRING;
}

static int debuginfo_type_array(Dwarf_Die *type, struct value_location *location, struct diag *diag)
{
    Dwarf_Die element;
    uint64_t length = debuginfo_array_length(type);
    uint64_t bytes;

    if (!debuginfo_type_of(type, &element) || !debuginfo_type_bytes(&element, &bytes) || bytes != 1)
        return diag_refuse(diag, -ENOTSUP, "it is an array, and not one of characters");
    if (!location->is_memory)
        return diag_refuse(diag, -ENOTSUP, "it is a string inside of a struct that is passed by value");
    if (length == 0)
        return diag_refuse(diag, -ENOTSUP, "it is an array whose length is not known");
    location->type = VALUE_CSTRING;
    location->bytes = DEBUGINFO_POINTER_BYTES;
    location->string_bytes = (uint16_t)(length < UINT16_MAX ? length : UINT16_MAX);
    return 0;
}

int debuginfo_type_value(Dwarf_Die *type, struct value_location *location, struct diag *diag)
{
    switch (dwarf_tag(type)) {
    case DW_TAG_base_type:
        return debuginfo_type_base(type, location, diag);
    case DW_TAG_enumeration_type:
        return debuginfo_type_enum(type, location, diag);
    case DW_TAG_array_type:
        return debuginfo_type_array(type, location, diag);
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
    case DW_TAG_unspecified_type:
        debuginfo_type_pointer(type, location);
        return 0;
    default:
        if (debuginfo_is_aggregate(type))
            return diag_refuse(diag, -ENOTSUP, "it is a struct; name one of its members by \"field\"");
        return diag_refuse(diag, -ENOTSUP, "its type is no number, pointer or string");
    }
}

int debuginfo_apply_type(enum value_type wanted, struct value_location *location, struct diag *diag)
{
    bool is_string = location->type == VALUE_CSTRING;
    bool is_pointer = location->type == VALUE_POINTER || (is_string && location->string_bytes == 0);
    bool is_well;

    if (wanted == VALUE_VOID || wanted == location->type)
        return 0;
    if (wanted == VALUE_CSTRING)
        is_well = is_pointer;
    else if (value_type_is_floating(wanted) || value_type_is_floating((enum value_type)location->type))
        is_well = false;
    else if (is_string)
        is_well = is_pointer && value_type_bytes(wanted) == DEBUGINFO_POINTER_BYTES;
    else
        is_well = wanted == VALUE_BOOL || value_type_bytes(wanted) >= location->bytes;
    if (!is_well) {
        struct value_location found = *location;
        char text[VALUE_TEXT_BYTES];

        diag_set(diag, "the manifest's \"type\" does not agree with it (%s)", value_text(&found, text));
        return -EINVAL;
    }
    location->type = (uint8_t)wanted;
    return 0;
}

/* As in a message: the manifest's word and DWARF's. */
static int debuginfo_refuse_type(enum value_type wanted, const struct value_location *location, struct diag *diag)
{
    const struct value_location plain = {.type = location->type, .bytes = location->bytes};
    char text[VALUE_TEXT_BYTES];
    const char *type = strchr(value_text(&plain, text), ',');

    diag_set(diag, "the manifest's \"type\" (%s) does not agree with the debug information's%s",
             value_type_name(wanted), type ? type + 1 : "");
    return -EINVAL;
}

int debuginfo_hold_type(enum value_type wanted, struct value_location *location, struct diag *diag)
{
    const enum value_type type = (enum value_type)location->type;
    bool is_pointer = type == VALUE_POINTER || type == VALUE_CSTRING;

    if (value_type_is_floating(wanted) || value_type_is_floating(type)) {
        if (wanted != type)
            return debuginfo_refuse_type(wanted, location, diag);
        return 0;
    }
    if (wanted == VALUE_CSTRING && !is_pointer)
        return debuginfo_refuse_type(wanted, location, diag);
    if (wanted == VALUE_BOOL && !is_pointer) {
        location->type = (uint8_t)wanted;
        return 0;
    }
    if (location->bytes < 4 && value_type_bytes(wanted) == 4)
        return 0;
    if (value_type_bytes(wanted) != location->bytes)
        return debuginfo_refuse_type(wanted, location, diag);
    location->type = (uint8_t)wanted;
    return 0;
}
