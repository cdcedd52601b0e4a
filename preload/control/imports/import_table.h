/* What a loaded object imports: the slots of its global offset table, as the object's relocations in memory tell.
 *
 * ld.so writes the address of a function into a slot, and the object calls through it, from its PLT or directly
 * (-fno-plt). Other slots hold addresses that the object hands on. Slots of lazy binding lead back into the object's
 * PLT until the first call. */
#ifndef CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_TABLE_H
#define CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORT_TABLE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import_table {
    const char *path; /* the loader's, "" for the program */
    uintptr_t load_bias;
    uintptr_t low; /* of all loaded segments */
    uintptr_t high;
    const Elf64_Phdr *segments;
    size_t segment_count;
    const int32_t
        *starts; /* .eh_frame_hdr's table: of pairs, the first is where a function begins, from eh_frame_hdr */
    size_t start_count;
    uintptr_t eh_frame_hdr;
    const Elf64_Rela *jumps; /* DT_JMPREL: what the PLT calls through */
    size_t jump_count;
    const Elf64_Rela *others; /* DT_RELA */
    size_t other_count;
    const Elf64_Sym *symbols;
    const char *strings;
    const Elf64_Half *versions; /* by symbol; NULL: none */
    const Elf64_Verneed *needed;
    const Elf64_Verdef *defined;
};

/* Reads the dynamic section. False: there is nothing that could hold imports. `info` is of dl_iterate_phdr; what is
 * filled in stays valid as long as the object is loaded. Context: startup. */
bool import_table_init(struct import_table *table, const struct dl_phdr_info *info);

/* The slot of a relocation. NULL: it does not lie in the object as a slot does. */
uintptr_t *import_table_slot(const struct import_table *table, const Elf64_Rela *relocation);

/* True for a slot of lazy binding that has not been bound. */
bool import_table_is_unbound(const struct import_table *table, uintptr_t value);

/* What ld.so would bind a relocation to: by name and version, in the global scope, then in the object's own. 0:
 * nothing. Takes the loader's lock. Context: startup. */
uintptr_t import_table_lookup(const struct import_table *table, const Elf64_Rela *relocation);

/* True where a function begins that has unwind information. Context: any. */
bool import_table_is_start(const struct import_table *table, uintptr_t address);

#endif
