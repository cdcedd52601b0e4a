/* Searches the objects for what the manifest's functions name. Private to symbols/resolve/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_SEARCH_H
#define CALLMETER_SYMBOLS_RESOLVE_SEARCH_H

#include <stddef.h>

#include "symbols/elf/lookup.h"
#include "symbols/resolve/resolution.h"
#include "symbols/resolve/targets.h"

struct manifest;
struct resolve_object;

/* A search in all objects. Zeroed but for manifest and options, it may be finished. */
struct resolve_search {
    const struct manifest *manifest;
    const struct resolve_options *options;
    struct resolve_object *objects;
    size_t object_count;
    struct lookup_wanted wanted;
    struct resolve_list *lists; /* one a function */
    struct lookup_result found; /* of the search under way */
};

/* -ENOMEM. */
int resolve_search_init(struct resolve_search *search, struct object *const *objects, size_t object_count);

/* Fills `lists`: the targets of each function, or one that says why there is none. -ENOMEM. */
int resolve_search_all(struct resolve_search *search);

/* Joins the lists in the manifest's order; *ret_targets and *ret_notes are then the only owners. Their lookups are the
 * search's still. -ENOMEM. */
int resolve_search_join(struct resolve_search *search, struct resolve_target **ret_targets,
                        struct resolve_notes **ret_notes, size_t *ret_count);

void resolve_search_finish(struct resolve_search *search);

#endif
