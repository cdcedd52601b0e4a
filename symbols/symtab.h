/* Function symbols of ELF symbol tables, with their versions and source files, in one sorted list. */
#ifndef CALLMETER_SYMBOLS_SYMTAB_H
#define CALLMETER_SYMBOLS_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/image.h"
#include "symbols/object.h"

/* Embedded by the caller; zeroed, it is empty. Names point into the images that were read, or are owned. */
struct symtab {
    struct object_symbol *symbols;
    size_t count;
    size_t capacity;
    char **owned;
    size_t owned_count;
    size_t owned_capacity;
};

/* Says whether a symbol is to be kept; is_untyped: nothing but its place says that it is a function. */
typedef bool (*symtab_filter)(const struct object_symbol *symbol, bool is_untyped, void *context);

/* Appends the functions of the first table of that type (SHT_DYNSYM, with versions, or SHT_SYMTAB): STT_FUNC,
 * STT_GNU_IFUNC, and global symbols without a type. *ret_is_there (may be NULL) says whether there is such a table.
 * What is damaged is passed over. -ENOMEM only. Context: startup. */
int symtab_read(struct symtab *symtab, const struct image *image, uint32_t type, symtab_filter filter, void *context,
                bool *ret_is_there);

/* Sorts by address, then by name, and makes one of those that agree in both. */
void symtab_sort(struct symtab *symtab);

void symtab_finish(struct symtab *symtab);

#endif
