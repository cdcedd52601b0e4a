/* Reading memory that may not be there: what the program's variables and pointers lead to. */
#ifndef CALLMETER_PRELOAD_CONTROL_MEMORY_PEEK_H
#define CALLMETER_PRELOAD_CONTROL_MEMORY_PEEK_H

#include <stdbool.h>
#include <stdint.h>

/* Reads `bytes` (1 to 8) at any address at all. A number that lies within 8 aligned bytes is as it was at one time,
 * whoever changes it meanwhile. false: some of it cannot be read. Context: startup, server thread. */
bool peek(uintptr_t address, unsigned bytes, uint64_t *ret_value);

#endif
