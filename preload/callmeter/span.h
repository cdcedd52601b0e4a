/* The address range of a loaded object. */
#ifndef CALLMETER_PRELOAD_CALLMETER_SPAN_H
#define CALLMETER_PRELOAD_CALLMETER_SPAN_H

#include <link.h>
#include <stdint.h>

struct span {
    uintptr_t low;
    uintptr_t high; /* exclusive, all loaded segments */
    uintptr_t load_bias;
    const char *path; /* the loader's, "" for the program; as long as the object stays loaded */
};

/* The object that holds `address`, or -ENOENT. Takes the loader's lock. Context: startup, and where an exception is
 * thrown. */
int span_find(uintptr_t address, struct span *ret_span);

/* Objects of other namespaces (dlmopen), which dl_iterate_phdr does not list to us: the first one of all behind
 * `before` (NULL: from the first on), or NULL. Context: as above, while nobody unloads one. */
const struct link_map *span_next_elsewhere(const struct link_map *before);

#endif
