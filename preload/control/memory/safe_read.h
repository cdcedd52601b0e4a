/* Reading memory in a handler of fatal signals, where any pointer may be wrong. */
#ifndef CALLMETER_PRELOAD_CONTROL_MEMORY_SAFE_READ_H
#define CALLMETER_PRELOAD_CONTROL_MEMORY_SAFE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forgets which pages could be read. To be called when a handler begins: memory may have changed since the last one.
 * Context: signal, one thread at a time, as for all of this. */
void safe_read_begin(void);

/* Copies `bytes` from any address at all. false: some of them cannot be read; what `buffer` holds then is undefined. */
bool safe_read(uintptr_t address, void *buffer, size_t bytes);

/* Copies a string with its NUL, cut to `buffer_bytes`. false: it cannot be read; the buffer is "" then. */
bool safe_read_string(uintptr_t address, char *buffer, size_t buffer_bytes);

#endif
