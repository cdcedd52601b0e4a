#include "symbols/resolve/place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/manifest/manifest.h"
#include "symbols/resolve/reason.h"

/* A stand-in for the symbol that is not there; one allocation with its name. NULL: out of memory. */
static struct symbol *resolve_place_symbol(uint64_t offset, uint64_t size)
{
    struct symbol *symbol = calloc(1, sizeof(*symbol) + 24);

    if (!symbol)
        return NULL;
    snprintf((char *)(symbol + 1), 24, "0x%" PRIx64, offset);
    symbol->name = (const char *)(symbol + 1);
    symbol->address = offset;
    symbol->size = size;
    symbol->is_local = true;
    symbol->is_default_version = true;
    return symbol;
}

char *resolve_place_name(uint64_t offset)
{
    char *name;

    return asprintf(&name, "0x%" PRIx64, offset) < 0 ? NULL : name;
}

uint64_t resolve_place_size(const struct object *object, uint64_t address)
{
    uint64_t start;
    uint64_t bytes;

    return object_frame(object, address, &start, &bytes) && start == address ? bytes : 0;
}

/* Says why no function begins there, as far as one can tell. */
static bool resolve_place_refuse(struct resolve_target *target)
{
    const struct object *object = target->object;
    uint64_t offset = target->address;
    const struct symbol *around;
    uint64_t start;
    uint64_t bytes;

    if (!object_has_function_code(object, offset)) {
        resolve_add_reason(target, "offset 0x%" PRIx64 " is not in the code of %s", offset, object->base_name);
        return true;
    }
    if (object_symbol_at(object, offset))
        return false;
    around = object_symbol_around(object, offset);
    if (around) {
        resolve_add_reason(target, "offset 0x%" PRIx64 " is inside of %s, which begins at 0x%" PRIx64, offset,
                           around->name, around->address);
        return true;
    }
    if (object_frame(object, offset, &start, &bytes) && start != offset) {
        resolve_add_reason(target, "offset 0x%" PRIx64 " is inside of a function that begins at 0x%" PRIx64, offset,
                           start);
        return true;
    }
    return false;
}

int resolve_place_in(const struct manifest_function *function, const struct object *object,
                     struct resolve_target *target, bool *ret_is_refused)
{
    const struct symbol *symbol = object_symbol_at(object, function->offset);
    uint64_t size = resolve_place_size(object, function->offset);

    if (!symbol) {
        target->own_symbol = resolve_place_symbol(function->offset, size);
        if (!target->own_symbol)
            return -ENOMEM;
        symbol = target->own_symbol;
    }
    target->state = RESOLVE_FOUND;
    target->object = object;
    target->code_object = object;
    target->symbol = symbol;
    target->address = function->offset;
    target->size = symbol->size ? symbol->size : size;
    *ret_is_refused = resolve_place_refuse(target);
    if (*ret_is_refused)
        target->plan.mode = PLAN_REFUSED;
    return 0;
}
