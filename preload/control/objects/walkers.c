#include "preload/control/objects/walkers.h"

#include <string.h>

#include "symbols/elf/object.h"
#include "symbols/elf/runtime.h"

typedef void (*tell_function)(uintptr_t (*place)(uintptr_t));

static tell_function find(const struct object *object)
{
    for (size_t i = 0; i < object->symbol_count; i++)
        if (strcmp(object->symbols[i].name, RUNTIME_V8_ASK) == 0)
            return (tell_function)(object->load_bias + object->symbols[i].address);
    return NULL;
}

void walkers_tell(struct object *const *objects, size_t count, uintptr_t (*place)(uintptr_t slot))
{
    for (size_t i = 0; i < count; i++) {
        tell_function tell = find(objects[i]);

        if (tell)
            tell(place);
    }
}
