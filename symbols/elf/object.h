/* An ELF object that is or would be loaded: its functions, its bytes, its build id. Read with libelf from the file. */
#ifndef CALLMETER_SYMBOLS_ELF_OBJECT_H
#define CALLMETER_SYMBOLS_ELF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/symbol.h"
#include "symbols/plan/plan.h"

struct diag;
struct object_files;

/* Who compiled an object's code, as far as its .comment and its symbols tell. */
enum object_makers {
    OBJECT_MAKERS_UNKNOWN, /* it was stripped of that */
    OBJECT_MAKERS_GCC,     /* GCC alone */
    OBJECT_MAKERS_OTHERS,  /* others too */
};

struct object {
    char *path;            /* the file that was read, absolute; symbolic links as they were given */
    const char *base_name; /* points into path */
    char *soname;          /* or NULL */
    char *build_id;        /* lower-case hexadecimal, or NULL */
    uint64_t load_bias;    /* run address - virtual address; 0 for an object that is not in memory */
    bool is_executable;    /* the program itself */
    bool is_loader;        /* ld.so: nothing in it is ever tracked */
    bool is_stripped;      /* neither it nor a debug file of it has a .symtab: only exported functions are known */
    bool is_haskell;       /* it has code that GHC made */
    enum object_makers makers;
    enum plan_mode limit;     /* the most that its functions can get (runtime.h) */
    const char *limit_reason; /* why not PLAN_FULL; static; NULL if it is */
    struct symbol *symbols;   /* functions, sorted by address, then by name; from .dynsym, .symtab and debug files */
    size_t symbol_count;
    struct object_files *files; /* private: what is mapped */
};

/* Opens and reads `path`, and its debug file where it has no .symtab of its own (but not .gnu_debugdata, which needs
 * lzma). `load_bias` as above. -errno, with the reason in the diag (no ELF, other machine, truncated, ...). Never
 * crashes, whatever the file holds. Context: startup. */
int object_open(const char *path, uint64_t load_bias, bool is_executable, struct object **ret_object,
                struct diag *diag);

/* Takes NULL. */
void object_close(struct object *object);

/* The file's bytes at a virtual address that is in an executable segment; NULL if it is in none. *ret_bytes is how many
 * follow in the segment. They stay valid until object_close. */
const uint8_t *object_code(const struct object *object, uint64_t address, size_t *ret_bytes);

/* Bytes from `address` to the next function symbol, or to the end of its section. */
size_t object_room(const struct object *object, uint64_t address);

/* True if the base name or the soname matches the glob. */
bool object_is_called(const struct object *object, const char *glob);

/* The n-th executable section that is in the file, from 0: its bytes, its virtual address and its length. NULL: there
 * are no more. */
const uint8_t *object_section(const struct object *object, size_t n, uint64_t *ret_address, size_t *ret_bytes);

/* True if the address is in code of which functions are made: an executable section that is no PLT. */
bool object_has_function_code(const struct object *object, uint64_t address);

/* The code around an address that unwinds as one (frames.h): a function, where a symbol does not say how long it is.
 * Read when it is first asked for: not for two threads at once. False: nothing is known. Context: startup. */
bool object_frame(const struct object *object, uint64_t address, uint64_t *ret_start, uint64_t *ret_bytes);

/* What the planner may ask of the object; read when it is first asked for, and kept: not for two threads at once.
 * -ENOMEM. Context: startup. */
int object_plan(const struct object *object, const struct plan_object **ret_plan_object);

/* The first symbol at exactly that address (the others follow it in symbols[]), or NULL. */
const struct symbol *object_symbol_at(const struct object *object, uint64_t address);

/* The last symbol before an address, of which the address is a part by its size; NULL if there is none. */
const struct symbol *object_symbol_around(const struct object *object, uint64_t address);

/* True if a function has that ELF name. */
bool object_has_function(const struct object *object, const char *name);

/* The base name of the file that was read, where symbolic links lead to it; the caller frees it. NULL: the file has
 * gone, or out of memory. Context: startup. */
char *object_real_name(const struct object *object);

/* The demangled name, C++ or Rust, with the parameter list, as c++filt prints it; a clone's ends in " [clone
 * .constprop.0]". NULL where the name is not mangled. Made when it is first asked for and kept with the symbol, since
 * most never are: not for two threads at once. Context: startup. */
const char *object_symbol_demangled(const struct object *object, const struct symbol *symbol);

#endif
