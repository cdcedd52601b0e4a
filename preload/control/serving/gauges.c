#include "preload/control/serving/gauges.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/control/memory/peek.h"
#include "preload/control/segment/shown_type.h"
#include "preload/shim.h"
#include "server/segment/segment.h"
#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/elf/variable.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"
#include "symbols/values/value.h"

enum {
    TELL_MAX = 3, /* lines in the log about one gauge */
    POINTER_BYTES = 8,
};

/* One that is read from a variable. */
struct gauge {
    struct segment_gauge *shown;
    char *what; /* for the log; NULL: no memory */
    uintptr_t address;
    uint64_t offset; /* behind the pointer that is at `address` */
    enum value_type type;
    bool is_deref;
    bool is_bad;     /* it could not be read the last time */
    bool is_untold;  /* nor has the log heard of that */
    uintptr_t place; /* where that was */
    unsigned told;
};

static const struct shim *shim;
static struct gauge *gauges; /* for ever */
static size_t gauge_count;

/* Startup ---------------------------------------------------------------------------------------------------------- */

static void store(struct segment_gauge *shown, uint64_t value)
{
    __atomic_store_n(&shown->value, value, __ATOMIC_RELAXED);
    __atomic_store_n(&shown->is_known, 1, __ATOMIC_RELEASE);
}

static void store_constant(struct segment_gauge *shown, double constant)
{
    uint64_t bits;

    memcpy(&bits, &constant, sizeof(bits));
    shown->type = SEGMENT_VALUE_DOUBLE;
    store(shown, bits);
}

static char *describe(const struct manifest_gauge *wanted, const char *resource, const char *role,
                      const struct variable *variable)
{
    char *text = NULL;

    if (asprintf(&text, "resource \"%s\": %s, \"%s\" in %s", resource, role, wanted->global,
                 variable->object->base_name) < 0)
        return NULL;
    return text;
}

static void add_variable(const struct manifest_gauge *wanted, const char *resource, const char *role,
                         struct variable_search *search, struct segment_gauge *shown)
{
    struct diag diag = {0};
    struct variable variable;

    if (resolve_gauge(search, wanted, &variable, &diag) < 0) {
        shim->log(LOG_LEVEL_WARN, "resource \"%s\": %s is left out: %s", resource, role, diag.text);
        return;
    }
    shown->type = shown_type_of((uint8_t)wanted->type);
    gauges[gauge_count++] = (struct gauge){
        .shown = shown,
        .what = describe(wanted, resource, role, &variable),
        .address = variable.object->load_bias + variable.address + (wanted->is_deref ? 0 : wanted->offset),
        .offset = wanted->is_deref ? wanted->offset : 0,
        .type = wanted->type,
        .is_deref = wanted->is_deref,
    };
}

static void add(const struct manifest_gauge *wanted, const char *resource, const char *role,
                struct variable_search *search, struct segment_gauge *shown)
{
    if (wanted->source == MANIFEST_GAUGE_CONSTANT)
        store_constant(shown, wanted->constant);
    else if (wanted->source == MANIFEST_GAUGE_GLOBAL)
        add_variable(wanted, resource, role, search, shown);
}

void gauges_prepare(const struct shim *given, const struct manifest *manifest, struct object *const *objects,
                    size_t count, struct segment_header *segment)
{
    struct segment_resource *shown = (struct segment_resource *)((char *)segment + segment->resources);
    struct variable_search *search = NULL;

    shim = given;
    if (manifest->resource_count == 0)
        return;
    gauges = calloc(2 * manifest->resource_count, sizeof(*gauges));
    if (!gauges || variable_search_create(objects, count, &search) < 0) {
        shim->log(LOG_LEVEL_ERROR, "resources are left out: no memory");
        return;
    }
    for (size_t i = 0; i < manifest->resource_count; i++) {
        const struct manifest_resource *resource = &manifest->resources[i];

        add(&resource->in_use, resource->name, "in_use", search, &shown[i].in_use);
        add(&resource->limit, resource->name, "limit", search, &shown[i].limit);
    }
    variable_search_destroy(search);
}

/* Server thread ---------------------------------------------------------------------------------------------------- */

/* Sets *ret_address to where it was read, or could not be. */
static bool read_gauge(const struct gauge *gauge, uintptr_t *ret_address, uint64_t *ret_value)
{
    uint64_t pointer;

    *ret_address = gauge->address;
    if (gauge->is_deref) {
        if (!peek(gauge->address, POINTER_BYTES, &pointer))
            return false;
        *ret_address = pointer + gauge->offset;
        if (pointer == 0)
            return false;
    }
    return peek(*ret_address, value_type_bytes(gauge->type), ret_value);
}

/* As the segment has it: 64 bits. */
static uint64_t extend(uint64_t value, enum value_type type)
{
    if (type == VALUE_INT32)
        return (uint64_t)(int64_t)(int32_t)value;
    return type == VALUE_BOOL ? value != 0 : value;
}

/* Once, and again only if it could be read in between: each scrape would say the same. */
static void note_trouble(struct gauge *gauge, uintptr_t place)
{
    if (gauge->is_bad || gauge->told == TELL_MAX)
        return;
    gauge->is_untold = true;
    gauge->place = place;
}

static void refresh(struct gauge *gauge)
{
    uintptr_t address;
    uint64_t value;
    bool is_good = read_gauge(gauge, &address, &value);

    if (is_good) {
        store(gauge->shown, extend(value, gauge->type));
    } else {
        note_trouble(gauge, address);
        __atomic_store_n(&gauge->shown->is_known, 0, __ATOMIC_RELEASE);
    }
    gauge->is_bad = !is_good;
}

void gauges_refresh(void)
{
    for (size_t i = 0; i < gauge_count; i++)
        refresh(&gauges[i]);
}

static const char *describe_trouble(const struct gauge *gauge)
{
    static char text[512];
    const char *last = gauge->told == TELL_MAX ? " (not told again)" : "";
    const char *what = gauge->what ? gauge->what : "a resource";

    if (!gauge->is_deref || gauge->place == gauge->address)
        snprintf(text, sizeof(text), "%s, cannot be read at 0x%" PRIxPTR "%s", what, gauge->place, last);
    else if (gauge->place == gauge->offset)
        snprintf(text, sizeof(text), "%s, was a null pointer%s", what, last);
    else
        snprintf(text, sizeof(text), "%s, led to 0x%" PRIxPTR ", where nothing can be read%s", what, gauge->place,
                 last);
    return text;
}

const char *gauges_trouble(void)
{
    for (size_t i = 0; i < gauge_count; i++) {
        if (!gauges[i].is_untold)
            continue;
        gauges[i].is_untold = false;
        gauges[i].told++;
        return describe_trouble(&gauges[i]);
    }
    return NULL;
}
