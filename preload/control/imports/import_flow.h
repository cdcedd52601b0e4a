/* Where the address of a function goes that code has loaded into a register. */
#ifndef CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_FLOW_H
#define CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/control/imports/import_table.h"

/* True if what the instruction at `load` (mov slot(%rip), register) loads is called or compared with zero on every way
 * on from there, and goes nowhere else. `code` is the executable segment of the object that it lies in. False in doubt.
 * Context: startup. */
bool import_flow_is_called(const struct import_table *table, const uint8_t *code, size_t code_bytes,
                           const uint8_t *load);

#endif
