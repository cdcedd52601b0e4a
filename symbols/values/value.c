#include "symbols/values/value.h"

#include <inttypes.h>
#include <stdio.h>

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
