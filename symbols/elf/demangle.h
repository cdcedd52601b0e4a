/* C++ and Rust names: from the ELF name to what people write, and what may be compared with it. */
#ifndef CALLMETER_SYMBOLS_ELF_DEMANGLE_H
#define CALLMETER_SYMBOLS_ELF_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

enum demangle_form {
    DEMANGLE_FULL,           /* as c++filt prints it: parameters, and the return type of a template's instance */
    DEMANGLE_NO_RETURN_TYPE, /* parameters only */
    DEMANGLE_NAME,           /* neither */
};

/* True for a name that looks like one of the Itanium C++ ABI, or of Rust (both manglings). */
bool demangle_is_mangled(const char *name);

/* The first `length` bytes of an ELF name, demangled; a Rust name without its hash. The caller frees it. NULL: not a
 * mangled name, longer than a person would write (64 KiB, which names made to explode reach quickly), or out of memory.
 * Context: startup. */
char *demangle(const char *name, size_t length, enum demangle_form form);

/* Where the hash of a Rust name in the legacy mangling begins ("17h" and 16 hexadecimal digits and "E" at the end of
 * the first `length` bytes): the 16 digits; NULL if there is none. */
const char *demangle_rust_hash(const char *name, size_t length);

/* Removes blanks but those between two words, in place, so that `f(int,char *)` and `f(int, char*)` compare equal. */
void demangle_normalize(char *text);

/* The identifier that every ELF name must contain, with its length in front ("3run"), if it is to demangle to `text`
 * (with or without parameters, or a glob): the last whole one of the name. false: there is none that one can rely on
 * (operators, abbreviations as in std::string, wildcards). */
bool demangle_key(const char *text, const char **ret_key, size_t *ret_length);

/* Makes text fit for a label or a terminal: what is not UTF-8, or a control character, becomes '?'. */
void demangle_sanitize(char *text);

#endif
