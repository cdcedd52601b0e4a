#include "preload/cli/resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/object.h"
#include "symbols/elf/variable.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"
#include "symbols/values/value.h"

/* Where a gauge of a global would be read. */
struct place {
    struct variable variable;
    char object[128]; /* fit for a terminal */
    struct diag diag; /* empty: it was found */
};

static void find_place(struct variable_search *search, const struct manifest_gauge *gauge, struct place *place)
{
    memset(place, 0, sizeof(*place));
    if (!search)
        diag_set(&place->diag, "%s", strerror(ENOMEM));
    else
        resolve_gauge(search, gauge, &place->variable, &place->diag);
    if (place->variable.object)
        snprintf(place->object, sizeof(place->object), "%s", place->variable.object->base_name);
    demangle_sanitize(place->object);
}

static const char *name_of_function(const struct manifest *manifest, const struct manifest_gauge *gauge)
{
    const struct manifest_function *function = &manifest->functions[gauge->function];

    return function->name ? function->name : function->symbol;
}

/* Text ------------------------------------------------------------------------------------------------------------ */

/* Without what a terminal might obey. */
static void print_name(const char *name)
{
    char *text = strdup(name ? name : "");

    if (text)
        demangle_sanitize(text);
    fputs(text ? text : "?", stdout);
    free(text);
}

static void print_place(const struct manifest_gauge *gauge, const struct place *place)
{
    const struct variable *variable = &place->variable;

    if (!variable->object) {
        printf("not read: %s\n", place->diag.text);
        return;
    }
    print_name(gauge->global);
    if (gauge->offset || gauge->is_deref)
        printf("%s offset %" PRIu64, gauge->is_deref ? " ->" : ",", gauge->offset);
    printf(", %s, %s 0x%" PRIx64 "%s\n", value_type_name(gauge->type), place->object, variable->address,
           variable->is_copy ? " (the program's copy of it)" : "");
}

static void print_gauge(const struct manifest *manifest, const struct manifest_resource *resource, const char *role,
                        const struct manifest_gauge *gauge, struct variable_search *search)
{
    struct place place;

    if (gauge->source == MANIFEST_GAUGE_NONE)
        return;
    printf("resource ");
    print_name(resource->name);
    printf(" %s = ", role);
    if (gauge->source == MANIFEST_GAUGE_CONSTANT) {
        printf("%.15g\n", gauge->constant);
    } else if (gauge->source == MANIFEST_GAUGE_CALL) {
        printf("from calls of ");
        print_name(name_of_function(manifest, gauge));
        putchar('\n');
    } else {
        find_place(search, gauge, &place);
        print_place(gauge, &place);
    }
}

void resources_print(const struct manifest *manifest, struct object *const *objects, size_t count)
{
    struct variable_search *search = NULL;

    variable_search_create(objects, count, &search);
    for (size_t i = 0; i < manifest->resource_count; i++) {
        const struct manifest_resource *resource = &manifest->resources[i];

        print_gauge(manifest, resource, "in_use", &resource->in_use, search);
        print_gauge(manifest, resource, "limit", &resource->limit, search);
    }
    variable_search_destroy(search);
}

/* JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *place_to_json(const struct manifest_gauge *gauge, const struct place *place)
{
    const struct variable *variable = &place->variable;
    char address[24];

    snprintf(address, sizeof(address), "0x%" PRIx64, variable->address);
    return json_pack("{s:s, s:s?, s:s?, s:I, s:b, s:s, s:s}", "global", gauge->global, "object",
                     variable->object ? place->object : NULL, "address", variable->object ? address : NULL, "offset",
                     (json_int_t)gauge->offset, "deref", gauge->is_deref, "type", value_type_name(gauge->type),
                     "reason", place->diag.text);
}

static json_t *gauge_to_json(const struct manifest *manifest, const struct manifest_gauge *gauge,
                             struct variable_search *search)
{
    struct place place;

    if (gauge->source == MANIFEST_GAUGE_NONE)
        return json_null();
    if (gauge->source == MANIFEST_GAUGE_CONSTANT)
        return json_pack("{s:f}", "value", gauge->constant);
    if (gauge->source == MANIFEST_GAUGE_CALL)
        return json_pack("{s:s?}", "function", name_of_function(manifest, gauge));
    find_place(search, gauge, &place);
    return place_to_json(gauge, &place);
}

json_t *resources_to_json(const struct manifest *manifest, struct object *const *objects, size_t count)
{
    struct variable_search *search = NULL;
    json_t *result = json_array();

    variable_search_create(objects, count, &search);
    for (size_t i = 0; i < manifest->resource_count; i++) {
        const struct manifest_resource *resource = &manifest->resources[i];

        json_array_append_new(result, json_pack("{s:s, s:o, s:o}", "name", resource->name, "in_use",
                                                gauge_to_json(manifest, &resource->in_use, search), "limit",
                                                gauge_to_json(manifest, &resource->limit, search)));
    }
    variable_search_destroy(search);
    return result;
}
