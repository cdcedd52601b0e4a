/* An ELF object that is or would be loaded: its functions, its bytes, its build id. Read with libelf from the file. */
#ifndef CALLMETER_SYMBOLS_OBJECT_H
#define CALLMETER_SYMBOLS_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

/* A function symbol. Strings live as long as the object. */
struct object_symbol {
    const char *name;      /* ELF name, no version */
    const char *version;   /* e.g. "GLIBC_2.2.5", or NULL */
    const char *demangled; /* C++ or Rust, with the parameter list; NULL where the name is not mangled */
    uint64_t address;      /* virtual address in the file */
    uint64_t size;
    bool is_ifunc; /* address is the resolver's */
    bool is_local;
    bool is_default_version; /* false for foo@OLD beside foo@@NEW */
};

struct object {
    char *path;            /* the file that was read, absolute */
    const char *base_name; /* points into path */
    char *soname;          /* or NULL */
    char *build_id;        /* lower-case hexadecimal, or NULL */
    uint64_t load_bias;    /* run address - virtual address; 0 for an object that is not in memory */
    bool is_executable;    /* the program itself */
    bool is_loader;        /* ld.so: nothing in it is ever tracked */
    struct object_symbol
        *symbols; /* functions, sorted by address, then by name; from .dynsym, .symtab and debug files */
    size_t symbol_count;
    void *elf; /* private: the Elf handle and its mapping */
};

/* Opens and reads `path`. `load_bias` as above. -errno, with the reason in the diag (no ELF, other machine, truncated,
 * ...). Never crashes, whatever the file holds. Context: startup. */
int object_open(const char *path, uint64_t load_bias, bool is_executable, struct object **ret_object,
                struct diag *diag);

/* Takes NULL. */
void object_close(struct object *object);

/* The file's bytes at a virtual address that is in an executable segment; NULL if it is in none. *ret_bytes is how many
 * follow in the segment. They stay valid until object_close. */
const uint8_t *object_code(const struct object *object, uint64_t address, size_t *ret_bytes);

/* Bytes from `address` to the next function symbol, or to the end of its section. */
size_t object_room(const struct object *object, uint64_t address);

#endif
