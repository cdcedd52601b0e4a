/* Who compiled an object: LLVM changes the arguments of functions that it sees all callers of, GCC only those that it
 * gives another name. */
#ifndef CALLMETER_SYMBOLS_ELF_MAKERS_H
#define CALLMETER_SYMBOLS_ELF_MAKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/elf/object.h"

struct image;

/* By the strings of .comment, of which each compiler and linker leaves one: every object has GCC's at least, from the C
 * runtime's start files. Code in other languages speaks by its names. Context: startup. */
enum object_makers makers_of(const struct image *image, const struct symbol *symbols, size_t symbol_count);

/* True for the names of functions that are not called as those of C are: those of Rust, Swift, D, OCaml and Haskell. */
bool makers_is_foreign(const char *name);

#endif
