/* Writing to single words of the program's data that may be protected: slots of the global offset table, which full
 * RELRO makes read-only. */
#ifndef CALLMETER_PRELOAD_CONTROL_IMPORTS_SLOTS_H
#define CALLMETER_PRELOAD_CONTROL_IMPORTS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

/* The process's mappings and their protection, at the time of slots_init. */
struct slots {
    struct slots_mapping *mappings;
    size_t count;
};

/* -errno. Context: startup. */
int slots_init(struct slots *slots);

/* Writes a word as one store, and leaves the protection as it was. -errno: it cannot be written, or lies in code, which
 * may not become code again. Context: startup. */
int slots_write(const struct slots *slots, uintptr_t *slot, uintptr_t value);

void slots_finish(struct slots *slots);

#endif
