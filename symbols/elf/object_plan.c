/* What an object tells the planner of itself (plan.h): bytes, functions, pointers. */
#include <errno.h>

#include "symbols/elf/object.h"
#include "symbols/elf/object_files.h"

static const uint8_t *object_plan_bytes(const void *context, uint64_t address, size_t *ret_bytes)
{
    const struct object *object = context;
    const struct object_files *files = object->files;

    for (size_t i = 0; i < files->load_count; i++) {
        const struct object_segment *load = &files->loads[i];

        if (address - load->address >= load->bytes)
            continue;
        *ret_bytes = (size_t)(load->bytes - (address - load->address));
        return files->image.bytes + load->offset + (address - load->address);
    }
    return NULL;
}

static bool object_plan_function(const void *context, uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes)
{
    const struct object *object = context;
    const struct symbol *symbol = object_symbol_at(object, address);
    uint64_t size = 0;

    if (!object_has_function_code(object, address))
        return false;
    for (; symbol && symbol < object->symbols + object->symbol_count && symbol->address == address; symbol++)
        size = symbol->size > size ? symbol->size : size;
    if (!size) {
        symbol = object_symbol_around(object, address);
        if (!symbol)
            return object_frame(object, address, ret_start, ret_bytes);
        size = symbol->size;
        address = symbol->address;
    }
    *ret_start = address;
    *ret_bytes = size;
    return true;
}

/* Of several names one that is special counts. */
static const char *object_plan_name(const void *context, uint64_t address)
{
    const struct object *object = context;
    const struct symbol *symbol = object_symbol_at(object, address);
    const char *name = symbol ? symbol->name : NULL;

    for (; symbol && symbol < object->symbols + object->symbol_count && symbol->address == address; symbol++)
        if (plan_is_special(symbol->name))
            return symbol->name;
    return name;
}

static void object_plan_bounds(const struct object_files *files, uint64_t *ret_start, uint64_t *ret_end)
{
    uint64_t start = UINT64_MAX;
    uint64_t end = 0;

    for (size_t i = 0; i < files->section_count; i++) {
        start = files->sections[i].start < start ? files->sections[i].start : start;
        end = files->sections[i].end > end ? files->sections[i].end : end;
    }
    *ret_start = start < end ? start : 0;
    *ret_end = end;
}

int object_plan(const struct object *object, const struct plan_object **ret_plan_object)
{
    struct object_files *files = object->files;
    struct plan_object *known = &files->plan_object;
    uint64_t start;
    uint64_t end;

    if (!known->memo) {
        object_plan_bounds(files, &start, &end);
        links_finish(&files->links);
        if (links_read(&files->links, &files->image, start, end) < 0)
            return -ENOMEM;
        *known = (struct plan_object){
            .context = object,
            .bias = object->load_bias,
            .code_start = start,
            .code_end = end,
            .is_fixed = files->links.is_fixed,
            .pointers = files->links.pointers,
            .pointer_count = files->links.pointer_count,
            .imports = files->links.imports,
            .import_count = files->links.import_count,
            .bytes_at = object_plan_bytes,
            .function_at = object_plan_function,
            .name_at = object_plan_name,
            .memo = plan_memo_create(),
        };
        if (!known->memo)
            return -ENOMEM;
    }
    *ret_plan_object = known;
    return 0;
}
