/* Is a file still the one that was loaded? What is known of an object's code comes from its file, which is found by its
 * path: an upgrade may have put another one there since. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_AS_LOADED_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_AS_LOADED_H

#include <stdbool.h>
#include <stdint.h>

/* False if the file's headers or its build id differ from those of the object that is loaded with that bias. True also
 * where that cannot be told, and where there is no such file. Takes the loader's lock. Context: startup, or in a call
 * of dlopen. */
bool as_loaded_is(const char *path, uintptr_t load_bias);

#endif
