/* Keeps watch over which libraries are loaded and unloaded while the program runs, and has the functions of new ones
 * tracked before the program can call them (late.h), their constructors included.
 *
 * Libraries that callmeter's own modules need are not the program's, until a library of the program needs one or the
 * program asks for it. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_ARRIVALS_H
#define CALLMETER_PRELOAD_CONTROL_LATE_ARRIVALS_H

#include "preload/control/late/library.h"

struct resolution;

/* From now on. The resolution is that of the start. What cannot be done is logged. Context: startup, on the thread that
 * runs the constructor. */
void arrivals_begin(const struct late_config *config, const struct resolution *resolution);

#endif
