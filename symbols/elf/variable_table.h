/* The variables of one object, from its symbol tables and its debug file. Private to symbols/elf/. */
#ifndef CALLMETER_SYMBOLS_ELF_VARIABLE_TABLE_H
#define CALLMETER_SYMBOLS_ELF_VARIABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/image.h"
#include "symbols/elf/symtab.h"

struct object;

/* A PT_LOAD. */
struct variable_segment {
    uint64_t address;
    uint64_t bytes; /* in memory */
    bool is_executable;
};

/* Embedded by the caller; zeroed, it has not been read and may be finished. */
struct variable_table {
    struct image image;
    struct image debug;
    struct variable_segment *segments;
    size_t segment_count;
    struct symtab variables;
    struct symtab exported; /* those that other objects may see */
    bool is_symbolic;       /* the object uses its own variables, whoever else exports the name */
    bool is_read;
};

/* Reads the variables, if that has not been done. An object whose file has gone since it was opened has none. -ENOMEM.
 * Context: startup. */
int variable_table_read(struct variable_table *table, const struct object *object);

void variable_table_finish(struct variable_table *table);

/* Appends the symbols of the types that `symtab` is for (variables, or thread-local ones), of all tables of an object
 * that has been read: those of its debug file, where it has no .symtab of its own. -ENOMEM. Context: startup. */
int variable_table_symbols(struct variable_table *table, const struct object *object, struct symtab *symtab);

/* The segment that holds a virtual address, or NULL. */
const struct variable_segment *variable_table_segment(const struct variable_table *table, uint64_t address);

/* The variable that other objects see by that ELF name, or NULL. */
const struct symbol *variable_table_exported(const struct variable_table *table, const char *name);

#endif
