/* Targets while they are resolved: lists that grow, and what is known of each only until the end. Private to
 * symbols/resolve/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_TARGETS_H
#define CALLMETER_SYMBOLS_RESOLVE_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/resolve/resolution.h"

struct lookup;

/* What is known of a target only while it is resolved. */
struct resolve_notes {
    struct lookup *lookup; /* of the target's object */
    size_t twin_of;        /* see function_label.h */
    bool is_unplanned;     /* plan is final: there is no code to look at */
};

/* Targets of one function, for as long as functions are not searched in their order. Zeroed, it is empty. */
struct resolve_list {
    struct resolve_target *targets;
    struct resolve_notes *notes;
    size_t count;
    size_t capacity;
};

/* Appends a target for which nothing was found yet. NULL: out of memory. */
struct resolve_target *resolve_list_append(struct resolve_list *list, size_t function, struct lookup *lookup);

void resolve_list_finish(struct resolve_list *list);

/* Of a target that is refused: as if it had asked for none. */
void resolve_target_forget_values(struct resolve_target *target);

/* Frees what the target holds. */
void resolve_target_finish(struct resolve_target *target);

#endif
