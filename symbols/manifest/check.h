/* What names of a manifest may hold. Private to symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_CHECK_H
#define CALLMETER_SYMBOLS_MANIFEST_CHECK_H

#include <stdbool.h>

struct diag;

enum {
    MANIFEST_LABEL_VALUE_BYTES_MAX = 64,
};

/* Matches [a-zA-Z_][a-zA-Z0-9_]*, as names of labels and prefixes of metrics have to. */
bool manifest_check_is_name(const char *text);

/* -EINVAL: no name for a label, or one that Prometheus or callmeter gives a meaning; the diag says which. `code` is
 * callmeter's for its endpoint alone: a function's label may have this name, a constant label, which is on all series,
 * may not. */
int manifest_check_label_name(const char *name, bool is_constant, struct diag *diag);

#endif
