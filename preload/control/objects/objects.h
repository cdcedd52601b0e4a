/* A list of what is loaded now, as the loader tells: also in other namespaces. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_OBJECTS_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_OBJECTS_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct objects_entry {
    uintptr_t load_bias;
    const Elf64_Dyn *dynamic;
    const char *path;  /* in the list */
    bool is_elsewhere; /* in a namespace that dlmopen made, with a libc of its own */
};

/* In the loader's order, the program first, other namespaces last. Embedded by the caller; private but for entries and
 * count. */
struct objects {
    struct objects_entry *entries;
    size_t count;
    size_t capacity;
    char *text;
    size_t text_bytes;
    size_t text_capacity;
};

/* -ENOMEM. Nothing is allocated under the loader's lock: allocators may unwind the stack, which takes that lock after
 * one of their own. Context: startup, and in a call of dlopen or dlclose. */
int objects_list(struct objects *objects);
void objects_finish(struct objects *objects);

/* True if the loader has loaded or unloaded something since the last time that this was asked. Context: as above, one
 * thread at a time. */
bool objects_have_changed(void);

/* The first entry of an object's dynamic section with that tag, or NULL. */
const Elf64_Dyn *objects_dynamic(const Elf64_Dyn *dynamic, Elf64_Sxword tag);

/* Its string table, and the name that it gives itself; NULL: it has none. */
const char *objects_strings(const Elf64_Dyn *dynamic, uintptr_t load_bias);
const char *objects_soname(const Elf64_Dyn *dynamic, uintptr_t load_bias);

#endif
