/* Names that will be looked up, as a sieve for the symbols that are worth demangling. */
#ifndef CALLMETER_SYMBOLS_ELF_LOOKUP_WANTED_H
#define CALLMETER_SYMBOLS_ELF_LOOKUP_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/common/hash.h"

/* The names that will be asked for, gathered beforehand so that no more symbols than necessary are demangled. Embedded
 * by the caller; zeroed, it is empty. */
struct lookup_wanted {
    struct hash hash;
    const char **keys; /* not NUL-terminated; point into the names */
    size_t *lengths;
    size_t count;
    size_t capacity;
    bool is_everything; /* some name gives no key */
};

/* Makes room for `capacity` names. -ENOMEM. */
int lookup_wanted_init(struct lookup_wanted *wanted, size_t capacity);
void lookup_wanted_finish(struct lookup_wanted *wanted);

/* Adds an exact name, which must outlive *wanted. */
void lookup_wanted_add(struct lookup_wanted *wanted, const char *name);

/* May the first `length` bytes of an ELF name demangle to one of the names? Seldom wrong with yes, never with no. */
bool lookup_wanted_may_mean(const struct lookup_wanted *wanted, const char *name, size_t length);

#endif
