/* `callmeter check`: what would become of each function of the manifest, with nothing started. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/libraries.h"
#include "preload/cli/options.h"
#include "preload/cli/program.h"
#include "preload/cli/request.h"
#include "preload/cli/resources.h"
#include "preload/cli/say.h"
#include "preload/cli/warnings.h"
#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/object.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

enum {
    CHECK_INLINED_BYTES_MAX = 64 << 20, /* of debug information in one object: half a second */
};

/* The objects of the program that is checked. */
struct check_objects {
    struct object **objects;
    size_t count;
};

static const char *check_mode(const struct resolve_target *target)
{
    if (target->state == RESOLVE_MISSING)
        return "missing";
    if (target->state == RESOLVE_PENDING)
        return "pending";
    return target->plan.mode == PLAN_FULL ? "full" : target->plan.mode == PLAN_COUNT ? "count" : "refused";
}

/* The manifest's name for it; of a glob's match, the symbol's own. The caller frees it. */
static char *check_symbol(const struct manifest *manifest, const struct resolve_target *target)
{
    const struct manifest_function *function = &manifest->functions[target->function];
    bool is_own = target->symbol && (function->is_glob || !function->symbol);
    char *symbol = NULL;

    if (is_own)
        symbol = strdup(target->symbol->name);
    else if (function->symbol)
        symbol = strdup(function->symbol);
    else if (asprintf(&symbol, "0x%" PRIx64, function->offset) < 0)
        symbol = NULL;

    if (symbol)
        demangle_sanitize(symbol);
    return symbol;
}

static char *check_object_name(const struct resolve_target *target)
{
    char *name = strdup(target->object ? target->object->base_name : "-");

    if (name)
        demangle_sanitize(name);
    return name;
}

/* What a value is for: the name of a label, "items", or "resource NAME"; and, where the result decides something,
 * "error_when" and its like. A walk over those of one function, in the
 * order of resolve_target.values; zeroed but for manifest and function. */
struct check_values {
    const struct manifest *manifest;
    size_t function;
    size_t next;
    size_t next_gauge; /* two for each resource */
    char use[160];
};

static bool check_next_gauge(struct check_values *values)
{
    const struct manifest *manifest = values->manifest;

    for (; values->next_gauge < 2 * manifest->resource_count; values->next_gauge++) {
        const struct manifest_resource *resource = &manifest->resources[values->next_gauge / 2];
        bool is_limit = values->next_gauge % 2;
        const struct manifest_gauge *gauge = is_limit ? &resource->limit : &resource->in_use;

        if (gauge->source != MANIFEST_GAUGE_CALL || gauge->function != values->function)
            continue;
        snprintf(values->use, sizeof(values->use), "resource %s %s", resource->name, is_limit ? "limit" : "in_use");
        values->next_gauge++;
        return true;
    }
    return false;
}

/* Sets `use` for the next value. */
static bool check_next_value(struct check_values *values)
{
    const struct manifest_function *function = &values->manifest->functions[values->function];
    size_t n = values->next++;

    if (n < function->dynamic_label_count)
        snprintf(values->use, sizeof(values->use), "%s", function->dynamic_labels[n].name);
    else if (n == function->dynamic_label_count && function->items.source != MANIFEST_SOURCE_NONE)
        snprintf(values->use, sizeof(values->use), "items");
    else
        return check_next_gauge(values);
    return true;
}

/* Everything that `check` says of one value. */
struct check_value {
    const char *use;
    char location[VALUE_TEXT_BYTES];
    const char *proof; /* NULL: the value was not found */
};

static void check_fill_value(const struct check_values *values, const struct value_location *location,
                             enum resolve_proof proof, struct check_value *ret_value)
{
    ret_value->use = values->use;
    ret_value->proof = NULL;
    snprintf(ret_value->location, sizeof(ret_value->location), "not found");
    if (location->type == VALUE_VOID)
        return;
    value_text(location, ret_value->location);
    ret_value->proof = resolve_proof_text(proof);
}

/* What the result decides, one after the other; SIZE_MAX behind the last. */
static size_t check_next_decided(const struct manifest_function *function, size_t n)
{
    const bool is_asked[] = {condition_asks_result(&function->error_when),
                             condition_asks_result(&function->throttled_when),
                             function->error_type == MANIFEST_ERROR_TYPE_RET, function->has_recover};

    while (n < sizeof(is_asked) && !is_asked[n])
        n++;
    return n < sizeof(is_asked) ? n : SIZE_MAX;
}

typedef void (*check_say_value)(const struct check_value *value, void *context);

/* Tells of all values of a target, in the order that the manifest has them. */
static void check_each_value(const struct manifest *manifest, const struct resolve_target *target, check_say_value say,
                             void *context)
{
    static const char *const uses[] = {"error_when", "throttled_when", "error_type", "recover"};
    const struct manifest_function *function = &manifest->functions[target->function];
    struct check_values values = {.manifest = manifest, .function = target->function};
    struct value_location result = {.place = VALUE_RESULT, .type = (uint8_t)function->returns};
    struct check_value value;

    for (size_t i = 0; i < target->value_count && check_next_value(&values); i++) {
        check_fill_value(&values, &target->values[i], target->proofs[i], &value);
        say(&value, context);
    }
    if (target->result_proof == RESOLVE_PROOF_NONE)
        return;
    result.bytes = value_type_bytes(function->returns);
    for (size_t n = 0; (n = check_next_decided(function, n)) != SIZE_MAX; n++) {
        snprintf(values.use, sizeof(values.use), "%s", uses[n]);
        check_fill_value(&values, &result, target->result_proof, &value);
        say(&value, context);
    }
}

static void check_value_to_json(const struct check_value *value, void *context)
{
    json_array_append_new(
        context, json_pack("{s:s, s:s, s:s?}", "name", value->use, "location", value->location, "proof", value->proof));
}

static json_t *check_values_to_json(const struct manifest *manifest, const struct resolve_target *target)
{
    json_t *result = json_array();

    check_each_value(manifest, target, check_value_to_json, result);
    return result;
}

static void check_print_value(const struct check_value *value, void *context)
{
    (void)context;
    if (value->proof)
        printf("    %s = %s (%s)\n", value->use, value->location, value->proof);
    else
        printf("    %s = %s\n", value->use, value->location);
}

static void check_print_values(const struct manifest *manifest, const struct resolve_target *target)
{
    check_each_value(manifest, target, check_print_value, NULL);
}

static json_t *check_to_json(const struct manifest *manifest, const struct resolve_target *target)
{
    char address[24];
    char *symbol = check_symbol(manifest, target);
    char *object = check_object_name(target);
    bool is_found = target->state == RESOLVE_FOUND;
    json_t *result;

    snprintf(address, sizeof(address), "0x%" PRIx64, target->address);
    result = json_pack("{s:s?, s:s, s:s?, s:s?, s:o, s:s, s:s, s:o}", "symbol", symbol, "name", target->name, "object",
                       is_found ? object : NULL, "address", is_found ? address : NULL, "size",
                       is_found ? json_integer((json_int_t)target->size) : json_null(), "mode", check_mode(target),
                       "reason", target->reason, "values", check_values_to_json(manifest, target));
    free(symbol);
    free(object);
    return result;
}

static int check_print_json(const struct manifest *manifest, const struct resolution *resolution,
                            const struct check_objects *objects)
{
    json_t *functions = json_array();
    json_t *document = json_pack("{s:o, s:o, s:o}", "functions", functions, "resources",
                                 resources_to_json(manifest, objects->objects, objects->count), "warnings",
                                 warnings_to_json(manifest, resolution));
    int result = document ? 0 : -1;

    for (size_t i = 0; i < resolution->count && result == 0; i++)
        result = json_array_append_new(functions, check_to_json(manifest, &resolution->targets[i]));
    if (result == 0)
        result = json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
    return result;
}

static void check_print_table(const struct manifest *manifest, const struct resolution *resolution)
{
    int name_width = 0;
    int object_width = 0;

    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        int name = (int)strlen(target->name);
        int object = target->object ? (int)strlen(target->object->base_name) : 1;

        name_width = name > name_width ? name : name_width;
        object_width = object > object_width ? object : object_width;
    }
    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        char *object = check_object_name(target);
        char address[24] = "-";

        if (target->state == RESOLVE_FOUND)
            snprintf(address, sizeof(address), "0x%" PRIx64, target->address);
        printf("%-*s  %-*s  %12s  %s%*s%s\n", name_width, target->name, object_width, object ? object : "", address,
               check_mode(target), target->reason[0] ? 9 - (int)strlen(check_mode(target)) : 0, "", target->reason);
        check_print_values(manifest, target);
        free(object);
    }
}

/* Unlike the shim, which goes on with what there is, this is the place to hear of what is wrong. */
static bool check_is_well(const struct manifest *manifest, const struct resolution *resolution)
{
    for (size_t i = 0; i < resolution->count; i++) {
        const struct resolve_target *target = &resolution->targets[i];
        bool is_untracked =
            target->state == RESOLVE_MISSING || (target->state == RESOLVE_FOUND && target->plan.mode == PLAN_REFUSED);

        if ((is_untracked || target->is_partial) && !manifest->functions[target->function].is_optional)
            return false;
    }
    return true;
}

static void check_objects_finish(struct check_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        object_close(objects->objects[i]);
    free(objects->objects);
}

/* The program itself has to be readable; a library that is not is left out, with a warning. */
static int check_open_objects(struct check_objects *objects, const char *elf_path, const struct libraries *libraries)
{
    struct diag diag = {0};
    int result;

    objects->objects = calloc(libraries->count + 1, sizeof(struct object *));
    if (!objects->objects)
        return CLI_EXIT_BROKEN;
    result = object_open(elf_path, 0, true, &objects->objects[0], &diag);
    if (result < 0) {
        say_error("%s", diag.text);
        return result == -EACCES ? CLI_EXIT_NOT_RUNNABLE : CLI_EXIT_UNSUITABLE;
    }
    objects->count = 1;
    for (size_t i = 0; i < libraries->count; i++) {
        if (object_open(libraries->paths[i], 0, false, &objects->objects[objects->count], &diag) == 0)
            objects->count++;
        else
            say_error("warning: %s", diag.text);
    }
    return 0;
}

static int check_report(const struct cli_options *options, const struct manifest *manifest,
                        const struct check_objects *objects)
{
    static const struct resolve_options resolve = {.inlined_bytes_max = CHECK_INLINED_BYTES_MAX};
    struct resolution resolution = {0};
    struct diag diag = {0};
    bool is_well;

    if (resolve_manifest(manifest, objects->objects, objects->count, &resolve, &resolution, &diag) < 0) {
        say_error("%s", diag.text);
        return CLI_EXIT_BROKEN;
    }
    is_well = check_is_well(manifest, &resolution);
    if (options->is_json) {
        check_print_json(manifest, &resolution, objects);
    } else {
        check_print_table(manifest, &resolution);
        resources_print(manifest, objects->objects, objects->count);
        warnings_print(manifest, &resolution);
    }
    resolution_finish(&resolution);
    return is_well ? CLI_EXIT_OK : CLI_EXIT_UNTRACKED;
}

static int check_program(const struct cli_options *options, const struct manifest *manifest,
                         const struct program *program)
{
    struct libraries libraries = {0};
    struct check_objects objects = {0};
    struct diag diag = {0};
    int result;

    if (libraries_init(&libraries, program->elf_path, &diag) < 0)
        say_error("warning: no libraries are looked at: %s", diag.text);
    result = check_open_objects(&objects, program->elf_path, &libraries);
    if (result == 0)
        result = check_report(options, manifest, &objects);
    check_objects_finish(&objects);
    libraries_finish(&libraries);
    return result;
}

int cli_check(int argc, char **argv)
{
    struct request request;
    int result = request_init(&request, "check", CLI_OPTIONS_CHECK, argc, argv);

    if (result == 0)
        result = check_program(&request.options, request.manifest, &request.program);
    request_finish(&request);
    return result;
}
