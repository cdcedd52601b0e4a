/* Where the values are that are given by number: arguments and the result. */
#include "symbols/resolve/resolution.h"

#include <errno.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

enum {
    VECTOR_REGISTERS = 8
};

/* The ninth floating-point argument and those after it are on the stack. */
static void place_vector(unsigned number, struct value_location *location)
{
    if (number <= VECTOR_REGISTERS) {
        location->place = VALUE_IN_VECTOR;
        location->number = (uint8_t)(number - 1);
    } else {
        location->place = VALUE_IN_REGISTER;
        location->number = (uint8_t)(VALUE_STACK_WORD_FIRST + number - 1 - VECTOR_REGISTERS);
    }
}

int resolve_locate_numbered(const struct manifest_value *value, enum value_type returns,
                            struct value_location *ret_location, struct diag *diag)
{
    struct value_location location = {0};
    enum value_type type = value->type;

    if (type == VALUE_VOID && value->source == MANIFEST_SOURCE_RET)
        type = returns;
    else if (type == VALUE_VOID)
        type = value->source == MANIFEST_SOURCE_FARG ? VALUE_DOUBLE : VALUE_UINT64;
    if (type == VALUE_VOID)
        return diag_refuse(diag, -EINVAL, "the function returns nothing");
    if (value->source == MANIFEST_SOURCE_RET && type == VALUE_CSTRING)
        return diag_refuse(diag, -EINVAL, "a result is not read as a string");
    if (value->source == MANIFEST_SOURCE_ARG && value_type_is_floating(type))
        return diag_refuse(diag, -EINVAL, "floating-point arguments are counted by \"farg\"");
    if (value->source == MANIFEST_SOURCE_FARG && !value_type_is_floating(type))
        return diag_refuse(diag, -EINVAL, "a floating-point argument is a float or a double");
    location.type = (uint8_t)type;
    location.bytes = value_type_bytes(type);
    if (value->source == MANIFEST_SOURCE_RET)
        location.place = VALUE_RESULT;
    else if (value->source == MANIFEST_SOURCE_FARG)
        place_vector(value->number, &location);
    else
        location.number = (uint8_t)(value->number - 1);
    *ret_location = location;
    return 0;
}
