/* Reports of panics, as they lie in their folder: read for the endpoint, and for people. */
#ifndef CALLMETER_SERVER_HTTP_PANICS_H
#define CALLMETER_SERVER_HTTP_PANICS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Makes a readable name of an ELF name; the caller frees it. NULL: it is readable as it is. */
typedef char *(*panics_demangle)(const char *name, size_t length);

/* The reports in the folder, newest first: {"panics": [...]}, each as its file has it, with the symbols demangled
 * (`demangle` may be NULL). Left out: what is no report, too large, no plain file, or, with `is_own_only`, neither this
 * user's nor root's. On success the caller owns *ret_panics. -errno of the folder; -ENOMEM. Context: any thread. */
int panics_read(const char *folder, bool is_own_only, panics_demangle demangle, json_t **ret_panics);

/* The same as text, which the caller frees; {"panics": []} of no folder (NULL), or of one that is not there. NULL: out
 * of memory, or the folder cannot be read. Without registers there are no addresses of the process either: `registers`
 * and `address` are left out. */
char *panics_text(const char *folder, panics_demangle demangle, bool has_registers);

/* Checks that it is what panics_read makes, so that its fields can be asked for without a further look. */
bool panics_are_valid(const json_t *panics);

#endif
