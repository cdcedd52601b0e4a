/* How the segment calls the types of values. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_SHOWN_TYPE_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_SHOWN_TYPE_H

#include <stdint.h>

#include "server/segment/segment.h"

/* Of an enum value_type, as struct value_location holds it. Context: any. */
enum segment_value_type shown_type_of(uint8_t type);

#endif
