#include "symbols/resolve/targets.h"

#include <stdlib.h>

#include "symbols/common/bulk.h"

void resolve_target_finish(struct resolve_target *target)
{
    free(target->name);
    free(target->values);
    free(target->proofs);
    free(target->own_symbol);
}

void resolve_target_forget_values(struct resolve_target *target)
{
    free(target->values);
    free(target->proofs);
    target->values = NULL;
    target->proofs = NULL;
    target->value_count = 0;
    target->result_proof = RESOLVE_PROOF_NONE;
}

void resolve_list_finish(struct resolve_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        resolve_target_finish(&list->targets[i]);
    bulk_free(list->targets);
    bulk_free(list->notes);
}

struct resolve_target *resolve_list_append(struct resolve_list *list, size_t function, struct lookup *lookup)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1;
        struct resolve_target *targets = bulk_resize(list->targets, capacity, sizeof(*targets));
        struct resolve_notes *notes;

        if (!targets)
            return NULL;
        list->targets = targets;
        notes = bulk_resize(list->notes, capacity, sizeof(*notes));
        if (!notes)
            return NULL;
        list->notes = notes;
        list->capacity = capacity;
    }
    list->notes[list->count] = (struct resolve_notes){.lookup = lookup, .twin_of = SIZE_MAX};
    list->targets[list->count] = (struct resolve_target){.function = function, .same_as = SIZE_MAX};
    return &list->targets[list->count++];
}
