/* ELF names as text: which function a clone was made from, and what a glob matches. */
#ifndef CALLMETER_SYMBOLS_ELF_NAME_H
#define CALLMETER_SYMBOLS_ELF_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* What a compiler's suffix says about a function, the most telling one if there are several. */
enum name_clone {
    NAME_CLONE_NONE,  /* no suffix, or one that names the function itself (`.lto_priv.0`, `.llvm.123`) */
    NAME_CLONE_WHOLE, /* a copy with fewer or fixed arguments (`.constprop.0`, `.isra.0`) */
    NAME_CLONE_PART,  /* code split off, called by the function or inlined callers (`.part.0`, `._omp_fn.0`) */
    NAME_CLONE_COLD,  /* the unlikely blocks of the function, jumped to (`.cold`) */
};

/* Splits `foo.constprop.0` into `foo` (*ret_length bytes) and what it is. A suffix that no compiler is known for
 * belongs to the name. */
enum name_clone name_split_clone(const char *name, size_t *ret_length);

/* Matches all of `text`: `*`, `?`, `[a-z]`, `[!a-z]`, `[^a-z]` (a `]` that comes first is itself), `[[:digit:]]`, and
 * `\` takes the next character as it is: fnmatch(3) without flags, byte by byte and the same in every locale, unlike
 * fnmatch(3): this runs in programs that have set theirs. Time is at most the product of the lengths. */
bool name_glob(const char *pattern, const char *text);

#endif
