/* Finding the program's variables by name: for gauges whose numbers are read from memory. */
#ifndef CALLMETER_SYMBOLS_ELF_VARIABLE_H
#define CALLMETER_SYMBOLS_ELF_VARIABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/values/value.h"

struct diag;
struct object;

/* Where a variable is. Plain data; the object is one of those that were searched. */
struct variable {
    const struct object *object;
    uint64_t address; /* virtual address in the object */
    uint64_t size;    /* 0: its symbol does not say */
    bool is_copy;     /* the program's own copy of what the library defines that was meant: both use the copy */
};

/* A variable that is looked for, and what will be read of it. */
struct variable_query {
    const char *name;     /* an ELF name, or a demangled one */
    const char *object;   /* glob of the objects that are searched, or NULL: all */
    enum value_type type; /* of the value; not a string */
    uint64_t offset;      /* bytes behind the variable or, with is_deref, behind what it points to */
    bool is_deref;        /* the variable is a pointer to where the value is */
};

struct variable_search;

/* A search in `objects` (the program first, then libraries in load order), which must outlive it. Their tables are read
 * when they are first searched, and kept. -ENOMEM. Context: startup. */
int variable_search_create(struct object *const *objects, size_t count, struct variable_search **ret_search);

/* Takes NULL. */
void variable_search_destroy(struct variable_search *search);

/* Finds a variable, and checks that what is read of it lies inside of it.
 *
 * Objects are searched in their order, those alone that query->object matches if it is given; the first that has the
 * name ends the search. In it the first of these that exists is meant: a variable of that ELF name, then one whose
 * demangled name it is; of either first those that are not static. Several static ones of one name are refused, since
 * nothing tells which was meant.
 *
 * -ENOENT: there is none, or the object is not loaded. -EINVAL: it is not to be read so: ambiguous, thread-local,
 * outside of its bounds. -ENOMEM. The diag says what and why. Context: startup. */
int variable_find(struct variable_search *search, const struct variable_query *query, struct variable *ret_variable,
                  struct diag *diag);

#endif
