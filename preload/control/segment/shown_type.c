#include "preload/control/segment/shown_type.h"

#include "symbols/values/value.h"

enum segment_value_type shown_type_of(uint8_t type)
{
    switch (type) {
    case VALUE_BOOL:
        return SEGMENT_VALUE_BOOL;
    case VALUE_INT32:
    case VALUE_INT64:
        return SEGMENT_VALUE_INT64;
    case VALUE_POINTER:
        return SEGMENT_VALUE_POINTER;
    case VALUE_FLOAT:
        return SEGMENT_VALUE_FLOAT;
    case VALUE_DOUBLE:
        return SEGMENT_VALUE_DOUBLE;
    case VALUE_CSTRING:
        return SEGMENT_VALUE_STRING;
    default:
        return SEGMENT_VALUE_UINT64;
    }
}
