/* Symbols of ELF symbol tables, of functions or of variables, with their versions and source files, in one sorted list.
 * Private to symbols/elf/. */
#ifndef CALLMETER_SYMBOLS_ELF_SYMTAB_H
#define CALLMETER_SYMBOLS_ELF_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/image.h"
#include "symbols/elf/symbol.h"

/* Types of symbols, as bits. */
enum {
    SYMTAB_FUNCTIONS = 1 << STT_FUNC | 1 << STT_GNU_IFUNC | 1 << STT_NOTYPE,
    SYMTAB_VARIABLES = 1 << STT_OBJECT | 1 << STT_COMMON | 1 << STT_NOTYPE,
    SYMTAB_THREAD_LOCAL = 1 << STT_TLS,
};

/* Embedded by the caller; zeroed, it is empty. Names point into the images that were read, or are owned. */
struct symtab {
    uint32_t types; /* which are taken; 0: SYMTAB_FUNCTIONS */
    struct symbol *symbols;
    size_t count;
    size_t capacity;
    char **owned;
    size_t owned_count;
    size_t owned_capacity;
};

/* Says whether a symbol is to be kept; is_untyped: nothing but its place says what it is. */
typedef bool (*symtab_filter)(const struct symbol *symbol, bool is_untyped, void *context);

/* Appends the symbols of the first table of that type (SHT_DYNSYM, with versions, or SHT_SYMTAB) that are of `types`
 * and defined; those without a type only if they are global. *ret_is_there (may be NULL) says whether there is such a
 * table. What is damaged is passed over. -ENOMEM only. Context: startup. */
int symtab_read(struct symtab *symtab, const struct image *image, uint32_t type, symtab_filter filter, void *context,
                bool *ret_is_there);

/* Sorts by address, then by name, and makes one of those that agree in both. */
void symtab_sort(struct symtab *symtab);

void symtab_finish(struct symtab *symtab);

#endif
