/* Finding functions of one object by what a person calls them: ELF names, clones, demangled names, globs. */
#ifndef CALLMETER_SYMBOLS_ELF_LOOKUP_H
#define CALLMETER_SYMBOLS_ELF_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/lookup_wanted.h"
#include "symbols/elf/object.h"

/* Symbols found, in the order of object->symbols. Embedded by the caller; zeroed, it is empty. */
struct lookup_result {
    uint32_t *positions;
    size_t count;
    size_t capacity;
    bool has_part; /* also seen, and left out: code split off the function, a variant beside the function itself */
    bool has_cold;
    uint32_t left_out; /* position of one of those, or HASH_END */
};

void lookup_result_finish(struct lookup_result *result);

struct lookup;

/* Indexes the functions of an object, which must outlive it as *wanted must. -ENOMEM. Context: startup. */
int lookup_create(const struct object *object, const struct lookup_wanted *wanted, struct lookup **ret_lookup);
void lookup_destroy(struct lookup *lookup);

/* What an exact name means in the object. In this order, the first that exists: functions with that ELF name
 * (`foo@VERSION` picks one version); functions that the compiler renamed for its own use (`foo.lto_priv.0`) and those
 * whose demangled name it is; whole clones (`foo.constprop.0`) of such. Replaces *result. -ENOMEM. */
int lookup_exact(struct lookup *lookup, const char *name, struct lookup_result *result);

/* What a glob matches: ELF and demangled names. Clones go by the name of their function: whole ones where that is not
 * there itself, others never, unless the pattern has a dot to name them. Start-up code of the C runtime is left out.
 * Replaces *result. -ENOMEM. */
int lookup_glob(struct lookup *lookup, const char *pattern, struct lookup_result *result);

/* The cold parts of a function: positions of its `.cold` symbols. Replaces *result. -ENOMEM. */
int lookup_cold(struct lookup *lookup, const struct symbol *symbol, struct lookup_result *result);

/* Position of a clone beside that function which takes some of its calls (`foo.part.0`, `foo.constprop.0`), or
 * HASH_END. */
uint32_t lookup_clone_beside(const struct lookup *lookup, const struct symbol *symbol);

#endif
