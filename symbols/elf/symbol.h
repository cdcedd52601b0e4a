/* A symbol of an ELF object, as objects, symbol tables and searches hand it on. Plain data. */
#ifndef CALLMETER_SYMBOLS_ELF_SYMBOL_H
#define CALLMETER_SYMBOLS_ELF_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

/* A function, or a variable. Strings live as long as the object. Stubs of the PLT are none, nor are undefined symbols.
 */
struct symbol {
    const char *name;    /* ELF name, no version */
    const char *version; /* e.g. "GLIBC_2.2.5", or NULL */
    const char *file;    /* source file of a local one, where the symbol table tells, or NULL */
    uint64_t address;    /* virtual address in the file */
    uint64_t size;       /* 0: unknown, as assembly often has it */
    bool is_ifunc;       /* address is the resolver's */
    bool is_local;
    bool is_exported;        /* other objects may call it: in .dynsym, and not hidden */
    bool is_default_version; /* false for foo@OLD beside foo@@NEW */
    char *demangled;         /* private: see object_symbol_demangled */
};

#endif
