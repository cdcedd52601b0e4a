/* An open debuginfo, and finding functions in it. Private to symbols/debuginfo/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_UNITS_H
#define CALLMETER_SYMBOLS_DEBUGINFO_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "symbols/elf/image.h"

/* Code of a unit. */
struct debuginfo_range {
    uint64_t low;
    uint64_t high;
    Dwarf_Off unit; /* of its DIE */
};

/* Where a function begins. */
struct debuginfo_entry {
    uint64_t address;
    Dwarf_Off die;
};

/* The functions of one unit, sorted by address. */
struct debuginfo_unit {
    Dwarf_Off die;
    struct debuginfo_entry *entries;
    size_t count;
    size_t capacity;
};

struct debuginfo {
    struct image image; /* the object, or its debug file */
    struct image shared;
    Dwarf *dwarf;
    Dwarf *shared_dwarf; /* or NULL */
    size_t bytes;
    bool has_ranges; /* they were read */
    struct debuginfo_range *ranges;
    size_t range_count;
    size_t range_capacity;
    struct debuginfo_unit *units; /* those that were looked at */
    size_t unit_count;
};

enum {
    DEBUGINFO_DEPTH_MAX = 64, /* of nested scopes and types; DWARF that is deeper is taken for damaged */
};

/* The DIE of the function that begins at `address`. -ENOENT, -ENOLINK: it is in a .dwo file, -ENOMEM. */
int debuginfo_find_function(struct debuginfo *debuginfo, uint64_t address, Dwarf_Die *ret_die);

/* Replaces a struct or class that is only declared in its unit, outside of any other scope, by its definition in
 * another unit. False: there is none, or there are several that differ. Searches all units. */
bool debuginfo_find_definition(struct debuginfo *debuginfo, Dwarf_Die *type);

/* Steps from a DIE to its next sibling. False at the last one, and where damaged DWARF would go back. */
bool debuginfo_next(Dwarf_Die *die);

/* The DIE's first child. */
bool debuginfo_child(Dwarf_Die *die, Dwarf_Die *ret_child);

/* What an attribute refers to. The attribute may be one of the declaration or of the abstract instance (integrated). */
bool debuginfo_refer(Dwarf_Die *die, unsigned attribute, Dwarf_Die *ret_die);

/* The name of a DIE, its own or its origin's; NULL if it has none. */
const char *debuginfo_name(Dwarf_Die *die);

/* An unsigned constant. */
bool debuginfo_number(Dwarf_Die *die, unsigned attribute, uint64_t *ret_number);

/* A flag of the DIE itself. */
bool debuginfo_flag(Dwarf_Die *die, unsigned attribute);

#endif
