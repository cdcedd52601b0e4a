#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/hash.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_ORIGINS_MAX = 1 << 18
};

/* An abstract function, and whose inlined copies those of it are. */
struct debuginfo_origin {
    Dwarf_Off die;
    size_t function; /* index in functions, or SIZE_MAX: nobody asked for it */
};

struct debuginfo_counter {
    struct debuginfo *debuginfo;
    struct debuginfo_inlined *functions;
    size_t count;
    const char **names; /* of functions that other units may have a copy of, else NULL */
    struct hash by_name;
    struct debuginfo_origin *origins;
    size_t origin_count;
    size_t origins_max; /* what there is room for; more are looked up again each time */
    struct hash by_die;
    size_t budget; /* DIEs that may still be looked at */
};

/* The name that is the same in all units; NULL for what is private to one. */
static const char *debuginfo_shared_name(Dwarf_Die *function)
{
    Dwarf_Attribute attribute;
    bool is_external = false;

    if (!dwarf_attr_integrate(function, DW_AT_external, &attribute) || dwarf_formflag(&attribute, &is_external) != 0 ||
        !is_external)
        return NULL;
    if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute))
        return dwarf_formstring(&attribute);
    return debuginfo_name(function);
}

static void debuginfo_add_origin(struct debuginfo_counter *counter, Dwarf_Off die, size_t function)
{
    if (counter->origin_count == counter->origins_max)
        return;
    counter->origins[counter->origin_count] = (struct debuginfo_origin){.die = die, .function = function};
    hash_add(&counter->by_die, hash_bytes(&die, sizeof(die)), (uint32_t)counter->origin_count++);
}

/* Whose copy an inlined function is, or SIZE_MAX. */
static size_t debuginfo_owner(struct debuginfo_counter *counter, Dwarf_Die *origin)
{
    Dwarf_Off die = dwarf_dieoffset(origin);
    const char *name;
    size_t function = SIZE_MAX;
    uint32_t i;

    for (i = hash_first(&counter->by_die, hash_bytes(&die, sizeof(die))); i != HASH_END;
         i = hash_next(&counter->by_die, i)) {
        if (counter->origins[i].die == die)
            return counter->origins[i].function;
    }
    name = debuginfo_shared_name(origin);
    for (i = name ? hash_first(&counter->by_name, hash_bytes(name, strlen(name))) : HASH_END; i != HASH_END;
         i = hash_next(&counter->by_name, i)) {
        if (strcmp(counter->names[i], name) == 0)
            function = i;
    }
    debuginfo_add_origin(counter, die, function);
    return function;
}

/* A copy that was optimized away has no code. */
static void debuginfo_count_copy(struct debuginfo_counter *counter, Dwarf_Die *die)
{
    Dwarf_Die origin;
    size_t function;

    if ((!dwarf_hasattr(die, DW_AT_low_pc) && !dwarf_hasattr(die, DW_AT_ranges)) ||
        !debuginfo_refer(die, DW_AT_abstract_origin, &origin))
        return;
    function = debuginfo_owner(counter, &origin);
    if (function != SIZE_MAX)
        counter->functions[function].places++;
}

static bool debuginfo_may_hold_copies(int tag)
{
    return tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine ||
           tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
           tag == DW_TAG_union_type || tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_module;
}

static void debuginfo_count_scope(struct debuginfo_counter *counter, Dwarf_Die *scope, int depth)
{
    Dwarf_Die die;

    if (depth > DEBUGINFO_DEPTH_MAX || !debuginfo_child(scope, &die))
        return;
    do {
        int tag = dwarf_tag(&die);

        if (counter->budget == 0)
            return;
        counter->budget--;
        if (tag == DW_TAG_inlined_subroutine)
            debuginfo_count_copy(counter, &die);
        if (debuginfo_may_hold_copies(tag))
            debuginfo_count_scope(counter, &die, depth + 1);
    } while (debuginfo_next(&die));
}

/* Files each function under the DIE and the name that its copies refer to. */
static void debuginfo_count_prepare(struct debuginfo_counter *counter)
{
    for (size_t i = 0; i < counter->count; i++) {
        Dwarf_Die die;
        Dwarf_Die origin;

        if (debuginfo_find_function(counter->debuginfo, counter->functions[i].address, &die) < 0)
            continue;
        if (debuginfo_refer(&die, DW_AT_abstract_origin, &origin))
            debuginfo_add_origin(counter, dwarf_dieoffset(&origin), i);
        counter->names[i] = debuginfo_shared_name(&die);
        if (counter->names[i])
            hash_add(&counter->by_name, hash_bytes(counter->names[i], strlen(counter->names[i])), (uint32_t)i);
    }
}

int debuginfo_count_inlined(struct debuginfo *debuginfo, size_t bytes_max, struct debuginfo_inlined *functions,
                            size_t count)
{
    struct debuginfo_counter counter = {
        .debuginfo = debuginfo, .functions = functions, .count = count, .budget = debuginfo->bytes};
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    int result = -ENOMEM;

    for (size_t i = 0; i < count; i++)
        functions[i].places = 0;
    if (debuginfo->bytes > bytes_max)
        return 0;
    counter.origins_max = debuginfo->bytes / 4 < DEBUGINFO_ORIGINS_MAX ? debuginfo->bytes / 4 : DEBUGINFO_ORIGINS_MAX;
    counter.names = calloc(count + 1, sizeof(*counter.names));
    counter.origins = calloc(counter.origins_max + 1, sizeof(*counter.origins));
    if (!counter.names || !counter.origins || hash_init(&counter.by_name, count) < 0 ||
        hash_init(&counter.by_die, counter.origins_max) < 0)
        goto allocated;
    debuginfo_count_prepare(&counter);
    while (dwarf_get_units(debuginfo->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0)
        debuginfo_count_scope(&counter, &die, 0);
    result = 0;
allocated:
    hash_finish(&counter.by_name);
    hash_finish(&counter.by_die);
    free(counter.origins);
    free(counter.names);
    return result;
}
