/* Where the values are that are given by number: arguments and the result. */
#include "symbols/resolve/resolution.h"

#include <errno.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

enum {
    VECTOR_REGISTERS = 8
};

static bool is_floating(enum value_type type)
{
    return type == VALUE_FLOAT || type == VALUE_DOUBLE;
}

static int refuse(struct diag *diag, const char *reason)
{
    diag_set(diag, "%s", reason);
    return -EINVAL;
}

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
        return refuse(diag, "the function returns nothing");
    if (value->source == MANIFEST_SOURCE_RET && type == VALUE_CSTRING)
        return refuse(diag, "a result is not read as a string");
    if (value->source == MANIFEST_SOURCE_ARG && is_floating(type))
        return refuse(diag, "floating-point arguments are counted by \"farg\"");
    if (value->source == MANIFEST_SOURCE_FARG && !is_floating(type))
        return refuse(diag, "a floating-point argument is a float or a double");
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
