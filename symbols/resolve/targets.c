#include "symbols/resolve/targets.h"

#include <stdlib.h>

#include "symbols/common/bulk.h"

void resolve_target_finish(struct resolve_target *target)
{
    free(target->name);
    free(target->values);
    free(target->own_symbol);
}

void resolve_list_finish(struct resolve_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        resolve_target_finish(&list->targets[i]);
    bulk_free(list->targets);
    bulk_free(list->places);
}

struct resolve_target *resolve_list_append(struct resolve_list *list, size_t function, struct lookup *lookup)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1;
        struct resolve_target *targets = bulk_resize(list->targets, capacity, sizeof(*targets));
        struct resolve_place *places;

        if (!targets)
            return NULL;
        list->targets = targets;
        places = bulk_resize(list->places, capacity, sizeof(*places));
        if (!places)
            return NULL;
        list->places = places;
        list->capacity = capacity;
    }
    list->places[list->count] = (struct resolve_place){.lookup = lookup, .twin_of = SIZE_MAX};
    list->targets[list->count] = (struct resolve_target){.function = function, .same_as = SIZE_MAX};
    return &list->targets[list->count++];
}
