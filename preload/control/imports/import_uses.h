/* What an object's code does with the slots of its imports: only where it does nothing but call through one may another
 * address be put there.
 *
 * A slot from which the address is taken is as good as a pointer of the program's: it may be compared with one that was
 * taken elsewhere (Qt finds signals like that), or be asked of dladdr. */
#ifndef CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_USES_H
#define CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_USES_H

#include <stddef.h>
#include <stdint.h>

#include "preload/control/imports/import_table.h"

enum import_use {
    IMPORT_UNUSED, /* nothing refers to it */
    IMPORT_CALLED, /* the code calls through it, and that is all */
    IMPORT_TAKEN,  /* some code does something else, or it cannot be told */
};

/* Looks for the uses of `count` slots, sorted by address, in the object's code. Some nanoseconds a byte of code.
 * Context: startup. */
void import_uses_find(const struct import_table *table, uintptr_t *const *slots, enum import_use *uses, size_t count);

#endif
