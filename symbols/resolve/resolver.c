#include "symbols/resolve/resolver.h"

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
static bool resolve_may_be_exact(const struct manifest_function *function)
{
    const char *symbol = function->symbol;

    if (!symbol)
        return false;
    return !function->is_glob || strpbrk(symbol, "(<") || strstr(symbol, "operator") || strstr(symbol, "[abi:");
}

void resolver_finish(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->object_count && resolver->objects; i++) {
        free(resolver->objects[i].real_name);
        bulk_free(resolver->objects[i].is_taken);
        lookup_destroy(resolver->objects[i].lookup);
    }
    for (size_t i = 0; i < resolver->manifest->function_count && resolver->lists; i++)
        resolve_list_finish(&resolver->lists[i]);
    free(resolver->objects);
    bulk_free(resolver->lists);
    lookup_wanted_finish(&resolver->wanted);
    lookup_result_finish(&resolver->found);
}

static char *resolve_real_name(const char *path)
{
    char *real = realpath(path, NULL);
    char *name = real ? strdup(strrchr(real, '/') + 1) : NULL;

    free(real);
    return name;
}

int resolver_init(struct resolver *resolver, struct object *const *objects, size_t object_count)
{
    const struct manifest *manifest = resolver->manifest;

    resolver->lists = bulk_calloc(manifest->function_count + 1, sizeof(*resolver->lists));
    resolver->objects = calloc(object_count + 1, sizeof(*resolver->objects));
    if (!resolver->lists || !resolver->objects || lookup_wanted_init(&resolver->wanted, manifest->function_count) < 0)
        return -ENOMEM;
    resolver->object_count = object_count;
    for (size_t i = 0; i < object_count; i++) {
        resolver->objects[i].object = objects[i];
        resolver->objects[i].real_name = resolve_real_name(objects[i]->path);
    }
    for (size_t i = 0; i < manifest->function_count; i++) {
        if (resolve_may_be_exact(&manifest->functions[i]))
            lookup_wanted_add(&resolver->wanted, manifest->functions[i].symbol);
    }
    return 0;
}

static int resolver_prepare(struct resolver *resolver, struct resolve_object *object)
{
    if (object->lookup)
        return 0;
    object->is_taken = bulk_calloc(object->object->symbol_count + 1, sizeof(*object->is_taken));
    if (!object->is_taken)
        return -ENOMEM;
    return lookup_create(object->object, &resolver->wanted, &object->lookup);
}

static bool resolve_is_meant(const struct manifest_function *function, const struct resolve_object *object)
{
    const char *pattern = function->object;

    return !pattern || object_is_called(object->object, pattern) ||
           (object->real_name && name_glob(pattern, object->real_name));
}

/* Finds the code of an IFUNC: what its resolver picks, where that can be told. */
static void resolver_set_ifunc(const struct resolver *resolver, struct resolve_target *target,
                               struct resolve_place *place)
{
    const struct object *object = target->object;
    const struct object_symbol *code;
    size_t bytes;
    uint64_t address;

    if (!resolver->options->ifunc) {
        place->is_unplanned = true;
        target->plan.mode = PLAN_FULL;
        resolve_add_reason(target, "an IFUNC: which code it stands for is chosen when the program runs");
        return;
    }
    address = resolver->options->ifunc(object, target->symbol, resolver->options->context);
    if (address == 0 || !object_code(object, address - object->load_bias, &bytes)) {
        place->is_unplanned = true;
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

static int resolver_add(struct resolver *resolver, size_t function, struct resolve_object *object, uint32_t position)
{
    const struct object_symbol *symbol = &object->object->symbols[position];
    struct resolve_list *list = &resolver->lists[function];
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
        resolver_set_ifunc(resolver, target, &list->places[list->count - 1]);
    return 0;
}

/* Looks in one object. *ret_is_found: it has a match, even if other entries have taken it. */
static int resolver_search_object(struct resolver *resolver, size_t function, bool is_exact,
                                  struct resolve_object *object, bool *ret_is_found)
{
    const char *symbol = resolver->manifest->functions[function].symbol;
    struct lookup_result *found = &resolver->found;
    int result = resolver_prepare(resolver, object);

    if (result == 0)
        result = is_exact ? lookup_exact(object->lookup, symbol, found) : lookup_glob(object->lookup, symbol, found);
    for (size_t i = 0; i < found->count && result == 0; i++) {
        if (is_exact || !object->is_taken[found->positions[i]])
            result = resolver_add(resolver, function, object, found->positions[i]);
    }
    *ret_is_found = result == 0 && found->count > 0;
    return result;
}

/* The place that an entry names by build id and offset, in the first object that has the id. *ret_is_found: there is
 * such an object. */
static int resolver_add_place(struct resolver *resolver, size_t function, bool *ret_is_found)
{
    const struct manifest_function *wanted = &resolver->manifest->functions[function];
    struct resolve_list *list = &resolver->lists[function];

    for (size_t i = 0; i < resolver->object_count; i++) {
        struct resolve_object *object = &resolver->objects[i];
        struct resolve_target *target;
        int result;

        if (!object->object->build_id || strcmp(object->object->build_id, wanted->build_id) != 0)
            continue;
        if (resolver_prepare(resolver, object) < 0)
            return -ENOMEM;
        target = resolve_list_append(list, function, object->lookup);
        if (!target)
            return -ENOMEM;
        result = resolve_place_in(wanted, object->object, target, &list->places[list->count - 1].is_unplanned);
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
    size_t searched;                  /* objects */
    bool is_stripped;                 /* one of them, or the program */
    const struct object_symbol *left; /* a clone that does not stand for the function */
};

/* One pass over the objects that are meant, ld.so or the others. */
static int resolver_search(struct resolver *resolver, size_t function, bool is_exact, bool is_loader,
                           struct resolve_trace *trace)
{
    const struct manifest_function *wanted = &resolver->manifest->functions[function];
    int result = 0;

    for (size_t i = 0; i < resolver->object_count && result == 0; i++) {
        struct resolve_object *object = &resolver->objects[i];
        bool is_found = false;

        if (object->object->is_loader != is_loader || !resolve_is_meant(wanted, object))
            continue;
        result = resolver_search_object(resolver, function, is_exact, object, &is_found);
        trace->is_found |= is_found;
        trace->searched++;
        trace->is_stripped |= object->object->is_stripped && (wanted->object || object->object->is_executable);
        if (result == 0 && resolver->found.left_out != HASH_END && !trace->left)
            trace->left = &object->object->symbols[resolver->found.left_out];
        if (is_found && !wanted->object)
            break;
    }
    return result;
}

/* No object has the build id: most often the program is another build than the manifest was made for. */
static void resolver_explain_place(const struct resolver *resolver, struct resolve_target *target)
{
    const struct object *program = resolver->object_count ? resolver->objects[0].object : NULL;

    target->state = RESOLVE_MISSING;
    resolve_add_reason(target, "no object with build id %s is loaded",
                       resolver->manifest->functions[target->function].build_id);
    if (program)
        resolve_add_reason(target, "%s has %s", program->base_name, program->build_id ? program->build_id : "none");
}

static void resolver_explain(const struct resolver *resolver, const struct resolve_trace *trace,
                             struct resolve_target *target)
{
    const struct manifest_function *function = &resolver->manifest->functions[target->function];
    const char *what = function->is_glob ? "no function matches" : "no function of that name";

    if (function->build_id) {
        resolver_explain_place(resolver, target);
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
    else if (resolver->object_count > 1)
        resolve_add_reason(target, "%s in %s or its %zu %s", what, resolver->objects[0].object->base_name,
                           resolver->object_count - 1, resolver->object_count == 2 ? "library" : "libraries");
    else
        resolve_add_reason(target, "%s in %s", what,
                           resolver->object_count ? resolver->objects[0].object->base_name : "the program");
    if (trace->is_stripped)
        resolve_add_reason(target,
                           "%s is stripped and shows only what it exports: a package with its debug symbols helps",
                           function->object ? "it" : resolver->objects[0].object->base_name);
}

static int resolver_resolve(struct resolver *resolver, size_t function, bool is_exact, struct resolve_trace *trace)
{
    int result = resolver_search(resolver, function, is_exact, false, trace);

    if (result == 0 && !trace->is_found)
        result = resolver_search(resolver, function, is_exact, true, trace);
    return result;
}

/* Exact names and places first, so that globs find what is taken. */
int resolver_find_all(struct resolver *resolver)
{
    const struct manifest *manifest = resolver->manifest;
    struct resolve_trace *traces = bulk_calloc(manifest->function_count + 1, sizeof(*traces));
    int result = traces ? 0 : -ENOMEM;

    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        if (!manifest->functions[i].symbol)
            result = resolver_add_place(resolver, i, &traces[i].is_found);
        else if (resolve_may_be_exact(&manifest->functions[i]))
            result = resolver_resolve(resolver, i, true, &traces[i]);
    }
    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        if (manifest->functions[i].is_glob && !traces[i].is_found) {
            traces[i] = (struct resolve_trace){0};
            result = resolver_resolve(resolver, i, false, &traces[i]);
        }
    }
    for (size_t i = 0; i < manifest->function_count && result == 0; i++) {
        struct resolve_target *target;

        if (traces[i].is_found)
            continue;
        target = resolve_list_append(&resolver->lists[i], i, NULL);
        if (target)
            resolver_explain(resolver, &traces[i], target);
        else
            result = -ENOMEM;
    }
    bulk_free(traces);
    return result;
}

int resolver_join(struct resolver *resolver, struct resolve_target **ret_targets, struct resolve_place **ret_places,
                  size_t *ret_count)
{
    struct resolve_target *targets;
    struct resolve_place *places;
    size_t count = 0;
    size_t used = 0;

    for (size_t i = 0; i < resolver->manifest->function_count; i++)
        count += resolver->lists[i].count;
    targets = bulk_calloc(count + 1, sizeof(*targets));
    places = bulk_calloc(count + 1, sizeof(*places));
    if (!targets || !places) {
        bulk_free(targets);
        bulk_free(places);
        return -ENOMEM;
    }
    for (size_t i = 0; i < resolver->manifest->function_count; i++) {
        struct resolve_list *list = &resolver->lists[i];

        if (list->count == 0)
            continue;
        memcpy(targets + used, list->targets, list->count * sizeof(*targets));
        memcpy(places + used, list->places, list->count * sizeof(*places));
        used += list->count;
        list->count = 0;
    }
    *ret_targets = targets;
    *ret_places = places;
    *ret_count = count;
    return 0;
}
