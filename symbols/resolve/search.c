#include "symbols/resolve/search.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"
#include "symbols/elf/name.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/place.h"
#include "symbols/resolve/reason.h"

/* An object and what is known of it only while resolving. */
struct resolve_object {
    const struct object *object;
    char *real_name;       /* base name of the file that a symbolic link leads to, or NULL */
    struct lookup *lookup; /* made when it is first searched */
    bool *is_taken;        /* by position in object->symbols: some entry has it */
};

/* C++ and Rust names hold the characters of a glob where there are parameters, templates and operators: such a pattern
 * may be a symbol's very name, and then means that symbol. */
static bool may_be_exact(const struct manifest_function *function)
{
    const char *symbol = function->symbol;

    if (!symbol)
        return false;
    return !function->is_glob || strpbrk(symbol, "(<") || strstr(symbol, "operator") || strstr(symbol, "[abi:");
}

void resolve_search_finish(struct resolve_search *search)
{
    for (size_t i = 0; i < search->object_count && search->objects; i++) {
        free(search->objects[i].real_name);
        bulk_free(search->objects[i].is_taken);
        lookup_destroy(search->objects[i].lookup);
    }
    for (size_t i = 0; i < search->manifest->function_count && search->lists; i++)
        resolve_list_finish(&search->lists[i]);
    free(search->objects);
    bulk_free(search->lists);
    lookup_wanted_finish(&search->wanted);
    lookup_result_finish(&search->found);
}

int resolve_search_init(struct resolve_search *search, struct object *const *objects, size_t object_count)
{
    const struct manifest *manifest = search->manifest;

    search->lists = bulk_calloc(manifest->function_count + 1, sizeof(*search->lists));
    search->objects = calloc(object_count + 1, sizeof(*search->objects));
    if (!search->lists || !search->objects || lookup_wanted_init(&search->wanted, manifest->function_count) < 0)
        return -ENOMEM;
    search->object_count = object_count;
    for (size_t i = 0; i < object_count; i++) {
        search->objects[i].object = objects[i];
        search->objects[i].real_name = object_real_name(objects[i]);
    }
    for (size_t i = 0; i < manifest->function_count; i++) {
        if (may_be_exact(&manifest->functions[i]))
            lookup_wanted_add(&search->wanted, manifest->functions[i].symbol);
    }
    return 0;
}

static int prepare(struct resolve_search *search, struct resolve_object *object)
{
    if (object->lookup)
        return 0;
    object->is_taken = bulk_calloc(object->object->symbol_count + 1, sizeof(*object->is_taken));
    if (!object->is_taken)
        return -ENOMEM;
    return lookup_create(object->object, &search->wanted, &object->lookup);
}

static bool is_meant(const struct manifest_function *function, const struct resolve_object *object)
{
    const char *pattern = function->object;

    return !pattern || object_is_called(object->object, pattern) ||
           (object->real_name && name_glob(pattern, object->real_name));
}

/* Finds the code of an IFUNC: what its resolver picks, where that can be told. */
static void set_ifunc(const struct resolve_search *search, struct resolve_target *target, struct resolve_notes *notes)
{
    const struct object *object = target->object;
    const struct symbol *code;
    size_t bytes;
    uint64_t address;

    if (!search->options->ifunc) {
        notes->is_unplanned = true;
        target->plan.mode = PLAN_FULL;
        resolve_add_reason(target, "an IFUNC: which code it stands for is chosen when the program runs");
        return;
    }
    address = search->options->ifunc(object, target->symbol, search->options->context);
    if (address == 0 || !object_code(object, address - object->load_bias, &bytes)) {
        notes->is_unplanned = true;
        target->plan.mode = PLAN_REFUSED;
        resolve_add_reason(target,
                           address ? "an IFUNC whose code is not in %s" : "an IFUNC whose code in %s is unknown",
                           object->base_name);
        return;
    }
    target->address = address - object->load_bias;
    code = object_symbol_at(object, target->address);
    target->size = code && code->size ? code->size : resolve_place_size(object, target->address);
}

static int add_symbol(struct resolve_search *search, size_t function, struct resolve_object *object, uint32_t position)
{
    const struct symbol *symbol = &object->object->symbols[position];
    struct resolve_list *list = &search->lists[function];
    struct resolve_target *target = resolve_list_append(list, function, object->lookup);

    if (!target)
        return -ENOMEM;
    object->is_taken[position] = true;
    target->state = RESOLVE_FOUND;
    target->object = object->object;
    target->code_object = object->object;
    target->symbol = symbol;
    target->address = symbol->address;
    target->size = symbol->size ? symbol->size : resolve_place_size(object->object, symbol->address);
    if (symbol->is_ifunc)
        set_ifunc(search, target, &list->notes[list->count - 1]);
    return 0;
}

/* Looks in one object. *ret_is_found: it has a match, even if other entries have taken it. */
static int search_object(struct resolve_search *search, size_t function, bool is_exact, struct resolve_object *object,
                         bool *ret_is_found)
{
    const char *symbol = search->manifest->functions[function].symbol;
    struct lookup_result *found = &search->found;
    int result = prepare(search, object);

    if (result == 0)
        result = is_exact ? lookup_exact(object->lookup, symbol, found) : lookup_glob(object->lookup, symbol, found);
    for (size_t i = 0; i < found->count && result == 0; i++) {
        if (is_exact || !object->is_taken[found->positions[i]])
            result = add_symbol(search, function, object, found->positions[i]);
    }
    *ret_is_found = result == 0 && found->count > 0;
    return result;
}

/* The place that an entry names by build id and offset, in the first object that has the id. *ret_is_found: there is
 * such an object. */
static int add_place(struct resolve_search *search, size_t function, bool *ret_is_found)
{
    const struct manifest_function *wanted = &search->manifest->functions[function];
    struct resolve_list *list = &search->lists[function];

    for (size_t i = 0; i < search->object_count; i++) {
        struct resolve_object *object = &search->objects[i];
        struct resolve_target *target;
        int result;

        if (!object->object->build_id || strcmp(object->object->build_id, wanted->build_id) != 0)
            continue;
        if (prepare(search, object) < 0)
            return -ENOMEM;
        target = resolve_list_append(list, function, object->lookup);
        if (!target)
            return -ENOMEM;
        result = resolve_place_in(wanted, object->object, target, &list->notes[list->count - 1].is_unplanned);
        if (result == 0 && !target->own_symbol)
            object->is_taken[target->symbol - object->object->symbols] = true;
        *ret_is_found = true;
        return result;
    }
    return 0;
}

/* What a search learned beside its targets, for the reason why there is none. */
struct resolve_trace {
    bool is_found;
    size_t searched;           /* objects */
    bool is_stripped;          /* one of them, or the program */
    const struct symbol *left; /* a clone that does not stand for the function */
};

/* One pass over the objects that are meant, ld.so or the others. */
static int search_objects(struct resolve_search *search, size_t function, bool is_exact, bool is_loader,
                          struct resolve_trace *trace)
{
    const struct manifest_function *wanted = &search->manifest->functions[function];
    int result = 0;

    for (size_t i = 0; i < search->object_count && result == 0; i++) {
        struct resolve_object *object = &search->objects[i];
        bool is_found = false;

        if (object->object->is_loader != is_loader || !is_meant(wanted, object))
            continue;
        result = search_object(search, function, is_exact, object, &is_found);
        trace->is_found |= is_found;
        trace->searched++;
        trace->is_stripped |= object->object->is_stripped && (wanted->object || object->object->is_executable);
        if (result == 0 && search->found.left_out != HASH_END && !trace->left)
            trace->left = &object->object->symbols[search->found.left_out];
        if (is_found && !wanted->object)
            break;
    }
    return result;
}

/* No object has the build id: most often the program is another build than the manifest was made for. */
static void explain_place(const struct resolve_search *search, struct resolve_target *target)
{
    const struct object *program = search->object_count ? search->objects[0].object : NULL;

    target->state = RESOLVE_MISSING;
    resolve_add_reason(target, "no object with build id %s is loaded",
                       search->manifest->functions[target->function].build_id);
    if (program)
        resolve_add_reason(target, "%s has %s", program->base_name, program->build_id ? program->build_id : "none");
}

static void explain_absence(const struct resolve_search *search, const struct resolve_trace *trace,
                            struct resolve_target *target)
{
    const struct manifest_function *function = &search->manifest->functions[target->function];
    const char *what = function->is_glob ? "no function matches" : "no function of that name";

    if (function->build_id) {
        explain_place(search, target);
        return;
    }
    if (function->object && trace->searched == 0) {
        target->state = RESOLVE_PENDING;
        resolve_add_reason(target, "%s is not loaded; its functions are tracked once it is", function->object);
        return;
    }
    target->state = RESOLVE_MISSING;
    if (trace->left)
        resolve_add_reason(target, "only %s is left of it, the rest was inlined into its callers", trace->left->name);
    else if (function->object)
        resolve_add_reason(target, "%s in %s", what, function->object);
    else if (search->object_count > 1)
        resolve_add_reason(target, "%s in %s or its %zu %s", what, search->objects[0].object->base_name,
                           search->object_count - 1, search->object_count == 2 ? "library" : "libraries");
    else
        resolve_add_reason(target, "%s in %s", what,
                           search->object_count ? search->objects[0].object->base_name : "the program");
    if (trace->is_stripped)
        resolve_add_reason(target,
                           "%s is stripped and shows only what it exports: a package with its debug symbols helps",
                           function->object ? "it" : search->objects[0].object->base_name);
}

static int search_function(struct resolve_search *search, size_t function, bool is_exact, struct resolve_trace *trace)
{
    int result = search_objects(search, function, is_exact, false, trace);

    if (result == 0 && !trace->is_found)
        result = search_objects(search, function, is_exact, true, trace);
    return result;
}

/* Exact names and places first, so that globs find what is taken. */
int resolve_search_all(struct resolve_search *search)
{
    const struct manifest *manifest = search->manifest;
    struct resolve_trace *traces = bulk_calloc(manifest->function_count + 1, sizeof(*traces));
    int result = traces ? 0 : -ENOMEM;

    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        if (!manifest->functions[i].symbol)
            result = add_place(search, i, &traces[i].is_found);
        else if (may_be_exact(&manifest->functions[i]))
            result = search_function(search, i, true, &traces[i]);
    }
    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        if (manifest->functions[i].is_glob && !traces[i].is_found) {
            traces[i] = (struct resolve_trace){0};
            result = search_function(search, i, false, &traces[i]);
        }
    }
    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        struct resolve_target *target;

        if (traces[i].is_found)
            continue;
        target = resolve_list_append(&search->lists[i], i, NULL);
        if (target)
            explain_absence(search, &traces[i], target);
        else
            result = -ENOMEM;
    }
    bulk_free(traces);
    return result;
}

int resolve_search_join(struct resolve_search *search, struct resolve_target **ret_targets,
                        struct resolve_notes **ret_notes, size_t *ret_count)
{
    struct resolve_target *targets;
    struct resolve_notes *notes;
    size_t count = 0;
    size_t used = 0;

    for (size_t i = 0; i < search->manifest->function_count; i++)
        count += search->lists[i].count;
    targets = bulk_calloc(count + 1, sizeof(*targets));
    notes = bulk_calloc(count + 1, sizeof(*notes));
    if (!targets || !notes) {
        bulk_free(targets);
        bulk_free(notes);
        return -ENOMEM;
    }
    for (size_t i = 0; i < search->manifest->function_count; i++) {
        struct resolve_list *list = &search->lists[i];

        if (list->count == 0)
            continue;
        memcpy(targets + used, list->targets, list->count * sizeof(*targets));
        memcpy(notes + used, list->notes, list->count * sizeof(*notes));
        used += list->count;
        list->count = 0;
    }
    assert(used == count);
    *ret_targets = targets;
    *ret_notes = notes;
    *ret_count = count;
    return 0;
}
