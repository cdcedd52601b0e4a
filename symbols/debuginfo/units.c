#include "symbols/debuginfo/units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/bulk.h"

enum {
    DEBUGINFO_SEARCHED_BYTES_MAX = 64 << 20, /* of debug information, for a struct that another unit defines */
    DEBUGINFO_RANGES_MAX = 4 << 20,          /* of all units; more are those of damaged DWARF, which shares lists */
};

bool debuginfo_next(Dwarf_Die *die)
{
    Dwarf_Die next;

    if (dwarf_siblingof(die, &next) != 0 || dwarf_dieoffset(&next) <= dwarf_dieoffset(die))
        return false;
    *die = next;
    return true;
}

bool debuginfo_child(Dwarf_Die *die, Dwarf_Die *ret_child)
{
    return dwarf_child(die, ret_child) == 0;
}

bool debuginfo_refer(Dwarf_Die *die, unsigned attribute, Dwarf_Die *ret_die)
{
    Dwarf_Attribute found;

    return dwarf_attr_integrate(die, attribute, &found) && dwarf_formref_die(&found, ret_die);
}

const char *debuginfo_name(Dwarf_Die *die)
{
    Dwarf_Attribute found;

    return dwarf_attr_integrate(die, DW_AT_name, &found) ? dwarf_formstring(&found) : NULL;
}

bool debuginfo_number(Dwarf_Die *die, unsigned attribute, uint64_t *ret_number)
{
    Dwarf_Attribute found;
    Dwarf_Word number;

    if (!dwarf_attr_integrate(die, attribute, &found) || dwarf_formudata(&found, &number) != 0)
        return false;
    *ret_number = number;
    return true;
}

bool debuginfo_flag(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute found;
    bool is_set = false;

    return dwarf_attr(die, attribute, &found) && dwarf_formflag(&found, &is_set) == 0 && is_set;
}

static int debuginfo_add_ranges(struct debuginfo *debuginfo, Dwarf_Die *unit)
{
    Dwarf_Addr base;
    Dwarf_Addr low;
    Dwarf_Addr high;
    ptrdiff_t next = 0;

    while ((next = dwarf_ranges(unit, next, &base, &low, &high)) > 0 && debuginfo->range_count < DEBUGINFO_RANGES_MAX) {
        struct debuginfo_range *ranges =
            bulk_grow(debuginfo->ranges, debuginfo->range_count, &debuginfo->range_capacity, 64, sizeof(*ranges));

        if (!ranges)
            return -ENOMEM;
        debuginfo->ranges = ranges;
        debuginfo->ranges[debuginfo->range_count++] =
            (struct debuginfo_range){.low = low, .high = high, .unit = dwarf_dieoffset(unit)};
    }
    return 0;
}

/* What .debug_aranges should say, but clang and assemblers leave out. */
static int debuginfo_read_ranges(struct debuginfo *debuginfo)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    int result = 0;

    if (debuginfo->has_ranges)
        return 0;
    debuginfo->has_ranges = true;
    while (result == 0 && dwarf_get_units(debuginfo->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        if (dwarf_tag(&die) == DW_TAG_compile_unit || dwarf_tag(&die) == DW_TAG_skeleton_unit)
            result = debuginfo_add_ranges(debuginfo, &die);
    }
    return result;
}

static int debuginfo_add_entry(struct debuginfo_unit *unit, uint64_t address, Dwarf_Die *function)
{
    struct debuginfo_entry *entries = bulk_grow(unit->entries, unit->count, &unit->capacity, 64, sizeof(*entries));

    if (!entries)
        return -ENOMEM;
    unit->entries = entries;
    unit->entries[unit->count++] = (struct debuginfo_entry){.address = address, .die = dwarf_dieoffset(function)};
    return 0;
}

/* A function in several parts (hot and cold) is filed under the start of each. */
static int debuginfo_add_function(struct debuginfo_unit *unit, Dwarf_Die *function)
{
    Dwarf_Addr base;
    Dwarf_Addr low;
    Dwarf_Addr high;
    ptrdiff_t next = 0;
    int result = 0;

    if (!dwarf_hasattr(function, DW_AT_low_pc) && !dwarf_hasattr(function, DW_AT_ranges))
        return 0;
    if (!dwarf_hasattr(function, DW_AT_ranges))
        return dwarf_lowpc(function, &low) == 0 ? debuginfo_add_entry(unit, low, function) : 0;
    for (int parts = 0; parts < DEBUGINFO_DEPTH_MAX && result == 0; parts++) {
        next = dwarf_ranges(function, next, &base, &low, &high);
        if (next <= 0)
            break;
        result = debuginfo_add_entry(unit, low, function);
    }
    return result;
}

/* Functions stand in units, namespaces and types; GNU C's nested ones in functions and blocks. */
static bool debuginfo_is_scope(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
           tag == DW_TAG_class_type || tag == DW_TAG_union_type || tag == DW_TAG_subprogram ||
           tag == DW_TAG_lexical_block;
}

/* `budget`: DIEs that may still be looked at. There cannot be more than bytes, unless scopes overlap. */
static int debuginfo_index_scope(struct debuginfo_unit *unit, Dwarf_Die *scope, int depth, size_t *budget)
{
    Dwarf_Die die;
    int result = 0;

    if (depth > DEBUGINFO_DEPTH_MAX || !debuginfo_child(scope, &die))
        return 0;
    do {
        int tag = dwarf_tag(&die);

        if ((*budget)-- == 0) {
            *budget = 0;
            return 0;
        }

        if (tag == DW_TAG_subprogram)
            result = debuginfo_add_function(unit, &die);
        if (result == 0 && debuginfo_is_scope(tag))
            result = debuginfo_index_scope(unit, &die, depth + 1, budget);
    } while (result == 0 && debuginfo_next(&die));
    return result;
}

static int debuginfo_compare_entries(const void *a, const void *b)
{
    const struct debuginfo_entry *first = a;
    const struct debuginfo_entry *second = b;

    if (first->address != second->address)
        return first->address < second->address ? -1 : 1;
    return (first->die > second->die) - (first->die < second->die);
}

/* The index of a unit's functions, made when it is first asked for. NULL: out of memory. */
static const struct debuginfo_unit *debuginfo_index_unit(struct debuginfo *debuginfo, Dwarf_Die *die)
{
    struct debuginfo_unit *units;
    struct debuginfo_unit unit = {.die = dwarf_dieoffset(die)};
    size_t budget = debuginfo->bytes;

    for (size_t i = 0; i < debuginfo->unit_count; i++) {
        if (debuginfo->units[i].die == unit.die)
            return &debuginfo->units[i];
    }
    units = reallocarray(debuginfo->units, debuginfo->unit_count + 1, sizeof(*units));
    if (!units)
        return NULL;
    debuginfo->units = units;
    if (debuginfo_index_scope(&unit, die, 0, &budget) < 0) {
        bulk_free(unit.entries);
        return NULL;
    }
    if (unit.count > 1)
        qsort(unit.entries, unit.count, sizeof(*unit.entries), debuginfo_compare_entries);
    units[debuginfo->unit_count] = unit;
    return &units[debuginfo->unit_count++];
}

static int debuginfo_find_in_unit(struct debuginfo *debuginfo, Dwarf_Die *die, uint64_t address, Dwarf_Die *ret_die)
{
    const struct debuginfo_unit *unit = debuginfo_index_unit(debuginfo, die);
    size_t low = 0;
    size_t high = unit ? unit->count : 0;

    if (!unit)
        return -ENOMEM;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (unit->entries[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == unit->count || unit->entries[low].address != address)
        return -ENOENT;
    return dwarf_offdie(debuginfo->dwarf, unit->entries[low].die, ret_die) ? 0 : -ENOENT;
}

/* gcc -gsplit-dwarf: the unit itself is in a file beside the object that was compiled. */
static bool debuginfo_is_elsewhere(Dwarf_Die *unit)
{
    return dwarf_hasattr(unit, DW_AT_dwo_name) || dwarf_hasattr(unit, DW_AT_GNU_dwo_name);
}

int debuginfo_find_function(struct debuginfo *debuginfo, uint64_t address, Dwarf_Die *ret_die)
{
    Dwarf_Die unit = {0};
    int result = -ENOENT;

    if (dwarf_addrdie(debuginfo->dwarf, address, &unit))
        result = debuginfo_find_in_unit(debuginfo, &unit, address, ret_die);
    if (result == -ENOENT && unit.addr && debuginfo_is_elsewhere(&unit))
        return -ENOLINK;
    if (result == -ENOENT && debuginfo_read_ranges(debuginfo) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < debuginfo->range_count && result == -ENOENT; i++) {
        const struct debuginfo_range *range = &debuginfo->ranges[i];

        if (address < range->low || address >= range->high || !dwarf_offdie(debuginfo->dwarf, range->unit, &unit))
            continue;
        result = debuginfo_find_in_unit(debuginfo, &unit, address, ret_die);
        if (result == -ENOENT && debuginfo_is_elsewhere(&unit))
            return -ENOLINK;
    }
    return result;
}

/* Is the DIE a child of its unit? */
static bool debuginfo_is_outermost(Dwarf_Die *die)
{
    Dwarf_Die *scopes = NULL;
    int count = dwarf_getscopes_die(die, &scopes);

    free(scopes);
    return count == 2;
}

/* A definition that was found, and what another one must have in common with it. */
struct debuginfo_definition {
    const char *name;
    Dwarf_Die die;
    uint64_t bytes;
    uint64_t line;
    bool is_found;
    bool is_ambiguous;
};

static void debuginfo_consider_definition(struct debuginfo_definition *definition, Dwarf_Die *die)
{
    int tag = dwarf_tag(die);
    const char *name;
    uint64_t bytes;
    uint64_t line = 0;

    if ((tag != DW_TAG_structure_type && tag != DW_TAG_class_type) || debuginfo_flag(die, DW_AT_declaration))
        return;
    name = debuginfo_name(die);
    if (!name || strcmp(name, definition->name) != 0 || !debuginfo_number(die, DW_AT_byte_size, &bytes))
        return;
    debuginfo_number(die, DW_AT_decl_line, &line);
    definition->is_ambiguous |= definition->is_found && (bytes != definition->bytes || line != definition->line);
    definition->die = *die;
    definition->bytes = bytes;
    definition->line = line;
    definition->is_found = true;
}

static void debuginfo_search_definition(Dwarf *dwarf, struct debuginfo_definition *definition)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die unit_die;
    Dwarf_Die die;

    while (dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &unit_die, NULL) == 0) {
        bool is_more = debuginfo_child(&unit_die, &die);

        for (; is_more; is_more = debuginfo_next(&die))
            debuginfo_consider_definition(definition, &die);
    }
}

bool debuginfo_find_definition(struct debuginfo *debuginfo, Dwarf_Die *type)
{
    struct debuginfo_definition definition = {.name = debuginfo_name(type)};

    if (!definition.name || debuginfo->bytes > DEBUGINFO_SEARCHED_BYTES_MAX || !debuginfo_is_outermost(type))
        return false;
    debuginfo_search_definition(debuginfo->dwarf, &definition);
    if (debuginfo->shared_dwarf)
        debuginfo_search_definition(debuginfo->shared_dwarf, &definition);
    if (!definition.is_found || definition.is_ambiguous)
        return false;
    *type = definition.die;
    return true;
}
