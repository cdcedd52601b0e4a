/* Where an unwinder's functions are, for the trampoline's personality. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_UNWINDERS_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_UNWINDERS_H

#include "preload/calls/personality.h"

/* An unwind_lookup: exported functions by dlsym; those of a libgcc that is linked into an object statically, by its
 * symbol table. */
int unwinders_lookup(uintptr_t caller, uintptr_t *ret_low, uintptr_t *ret_high, struct unwind_functions *ret_functions);

#endif
