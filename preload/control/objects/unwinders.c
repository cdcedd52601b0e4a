#include "preload/control/objects/unwinders.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "preload/control/objects/span.h"
#include "symbols/common/diag.h"
#include "symbols/elf/object.h"

#define FIND(functions, field, context, find, name) (*(void **)&(functions)->field = (find)((context), (name)))

typedef void *(*find_function)(void *context, const char *name);

static int find_all(struct unwind_functions *functions, find_function find, void *context)
{
    FIND(functions, get_gr, context, find, "_Unwind_GetGR");
    FIND(functions, get_ip, context, find, "_Unwind_GetIP");
    FIND(functions, get_cfa, context, find, "_Unwind_GetCFA");
    FIND(functions, set_gr, context, find, "_Unwind_SetGR");
    FIND(functions, set_ip, context, find, "_Unwind_SetIP");
    functions->resume = find(context, "_Unwind_Resume");
    return functions->get_gr && functions->get_ip && functions->get_cfa && functions->set_gr && functions->set_ip &&
                   functions->resume
               ? 0
               : -ENOENT;
}

static void *find_exported(void *context, const char *name)
{
    return dlsym(context, name);
}

static void *find_in_table(void *context, const char *name)
{
    const struct object *object = context;

    for (size_t i = 0; i < object->symbol_count; i++)
        if (strcmp(object->symbols[i].name, name) == 0)
            return (void *)(object->load_bias + object->symbols[i].address);
    return NULL;
}

static int find_by_dlsym(const struct span *span, struct unwind_functions *functions)
{
    void *handle = dlopen(span->path[0] ? span->path : NULL, RTLD_LAZY | RTLD_NOLOAD);
    int result;

    if (!handle)
        return -ENOENT;
    result = find_all(functions, find_exported, handle);
    dlclose(handle);
    /* What dlsym found may be in another object: then this one's are hidden. */
    if (result == 0 && ((uintptr_t)functions->resume < span->low || (uintptr_t)functions->resume >= span->high))
        return -ENOENT;
    return result;
}

static int find_by_table(const struct span *span, struct unwind_functions *functions)
{
    struct object *object;
    struct diag diag;
    int result = object_open(span->path[0] ? span->path : span_program(), span->load_bias, false, &object, &diag);

    if (result != 0)
        return result;
    result = find_all(functions, find_in_table, object);
    object_close(object);
    return result;
}

int unwinders_lookup(uintptr_t caller, uintptr_t *ret_low, uintptr_t *ret_high, struct unwind_functions *ret_functions)
{
    struct span span;

    if (span_find(caller, &span) != 0)
        return -ENOENT;
    *ret_low = span.low;
    *ret_high = span.high;
    if (find_by_dlsym(&span, ret_functions) == 0)
        return 0;
    return find_by_table(&span, ret_functions);
}
