#include "symbols/values/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

enum {
    VALUE_VECTOR_REGISTERS = 8
};

uint8_t value_type_bytes(enum value_type type)
{
    switch (type) {
    case VALUE_BOOL:
        return 1;
    case VALUE_INT32:
    case VALUE_UINT32:
    case VALUE_FLOAT:
        return 4;
    default:
        return 8;
    }
}

static bool value_is_float(enum value_type type)
{
    return type == VALUE_FLOAT || type == VALUE_DOUBLE;
}

static int value_refuse(struct diag *diag, const char *reason)
{
    diag_set(diag, "%s", reason);
    return -EINVAL;
}

/* The ninth floating-point argument and those after it are on the stack. */
static void value_place_vector(unsigned number, struct value_location *location)
{
    if (number <= VALUE_VECTOR_REGISTERS) {
        location->place = VALUE_IN_VECTOR;
        location->number = (uint8_t)(number - 1);
    } else {
        location->place = VALUE_IN_REGISTER;
        location->number = (uint8_t)(VALUE_STACK_WORD_FIRST + number - 1 - VALUE_VECTOR_REGISTERS);
    }
}

int value_locate(const struct manifest_value *value, enum value_type returns, struct value_location *ret_location,
                 struct diag *diag)
{
    struct value_location location = {0};
    enum value_type type = value->type;

    if (type == VALUE_VOID && value->source == MANIFEST_SOURCE_RET)
        type = returns;
    else if (type == VALUE_VOID)
        type = value->source == MANIFEST_SOURCE_FARG ? VALUE_DOUBLE : VALUE_UINT64;
    if (type == VALUE_VOID)
        return value_refuse(diag, "the function returns nothing");
    if (value->source == MANIFEST_SOURCE_RET && type == VALUE_CSTRING)
        return value_refuse(diag, "a result is not read as a string");
    if (value->source == MANIFEST_SOURCE_ARG && value_is_float(type))
        return value_refuse(diag, "floating-point arguments are counted by \"farg\"");
    if (value->source == MANIFEST_SOURCE_FARG && !value_is_float(type))
        return value_refuse(diag, "a floating-point argument is a float or a double");
    location.type = (uint8_t)type;
    location.bytes = value_type_bytes(type);
    if (value->source == MANIFEST_SOURCE_RET)
        location.place = VALUE_RESULT;
    else if (value->source == MANIFEST_SOURCE_FARG)
        value_place_vector(value->number, &location);
    else
        location.number = (uint8_t)(value->number - 1);
    *ret_location = location;
    return 0;
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_VOID] = "void",     [VALUE_BOOL] = "bool",      [VALUE_INT32] = "int32",     [VALUE_UINT32] = "uint32",
        [VALUE_INT64] = "int64",   [VALUE_UINT64] = "uint64",  [VALUE_POINTER] = "pointer", [VALUE_FLOAT] = "float",
        [VALUE_DOUBLE] = "double", [VALUE_CSTRING] = "char *",
    };

    return names[type];
}

static const char *value_type_text(const struct value_location *location)
{
    bool is_signed = location->type == VALUE_INT32 || location->type == VALUE_INT64;

    if (location->type == VALUE_BOOL)
        return "bool";
    if (location->bytes == 1)
        return is_signed ? "int8" : "uint8";
    if (location->bytes == 2)
        return is_signed ? "int16" : "uint16";
    return value_type_name(location->type);
}

static void value_place_text(const struct value_location *location, char *text, size_t bytes)
{
    if (location->place == VALUE_RESULT)
        snprintf(text, bytes, "result");
    else if (location->place == VALUE_IN_VECTOR)
        snprintf(text, bytes, "floating-point argument %d", location->number + 1);
    else if (location->number < VALUE_STACK_WORD_FIRST)
        snprintf(text, bytes, "argument %d", location->number + 1);
    else
        snprintf(text, bytes, "argument %d (on the stack)", location->number + 1);
}

const char *value_text(const struct value_location *location, char *text)
{
    char place[40];
    char offset[32] = "";

    value_place_text(location, place, sizeof(place));
    if (location->is_memory)
        snprintf(offset, sizeof(offset), " -> offset %" PRId64, location->offset);
    else if (location->offset)
        snprintf(offset, sizeof(offset), ", byte %" PRId64, location->offset);
    if (location->string_bytes)
        snprintf(text, VALUE_TEXT_BYTES, "%s%s, char[%u]", place, offset, location->string_bytes);
    else
        snprintf(text, VALUE_TEXT_BYTES, "%s%s, %s", place, offset, value_type_text(location));
    return text;
}
