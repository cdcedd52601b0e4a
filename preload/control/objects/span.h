/* The address range of a loaded object. */
#ifndef CALLMETER_PRELOAD_CONTROL_OBJECTS_SPAN_H
#define CALLMETER_PRELOAD_CONTROL_OBJECTS_SPAN_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct span {
    uintptr_t low;
    uintptr_t high;      /* exclusive, all loaded segments */
    uintptr_t file_high; /* exclusive, what of them comes from the file: all but .bss */
    uintptr_t load_bias;
    const char *path; /* the loader's, "" for the program; as long as the object stays loaded */
};

/* The loader's own account of what is loaded. Not what the name `_r_debug` stands for: a program that uses it has a
 * copy, as it was when the program was relocated. The first call is at the startup; any context later. */
const struct r_debug *span_debug(void);

/* True if no namespace is in the middle of a change. Context: as above. */
bool span_is_consistent(void);

/* A path of the program's file: also where the kernel has started ld.so, by hand, and that has started the program. */
const char *span_program(void);

/* True if the loader's name of an object is a path of its file, which need not have a slash (an empty item in
 * LD_LIBRARY_PATH): not the program's, which is "", nor the vDSO's. */
bool span_is_file(const char *name, uintptr_t load_bias);

/* The object that holds `address`, or -ENOENT. Takes the loader's lock. Context: startup, and where an exception is
 * thrown. */
int span_find(uintptr_t address, struct span *ret_span);

/* Objects of other namespaces (dlmopen), which dl_iterate_phdr does not list to us: the first one of all behind
 * `before` (NULL: from the first on), or NULL. Context: as above, while nobody unloads one. */
const struct link_map *span_next_elsewhere(const struct link_map *before);

#endif
