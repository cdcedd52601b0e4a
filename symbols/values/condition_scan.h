/* Reads the words and constants of a condition. Private to symbols/values/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_VALUES_CONDITION_SCAN_H
#define CALLMETER_SYMBOLS_VALUES_CONDITION_SCAN_H

#include <stdbool.h>

#include "symbols/values/condition.h"

struct diag;

/* Constants and keys of every type, without loss. */
typedef __int128 condition_wide;

/* What the left side of a comparison can be. */
struct condition_domain {
    const char *name;
    enum condition_source source;
    condition_wide low; /* the constants that may stand beside it; unused for floating point */
    condition_wide high;
    condition_wide key_low; /* the keys that tests see; of floating point, those of -inf and +inf */
    condition_wide key_high;
    const char *range; /* the constants, in words */
};

enum {
    CONDITION_ERRNO_MAX = 4095, /* as the kernel's MAX_ERRNO */
};

struct condition_scanner {
    const char *at;       /* what is read next; the text ends with a NUL */
    const char *error_at; /* set by a failure */
    struct diag *diag;
};

/* Each failure returns -EINVAL. */
int condition_fail(struct condition_scanner *scanner, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "expected ..., found TOKEN", at the next token. */
int condition_fail_expected(struct condition_scanner *scanner, const char *expected);

void condition_skip_space(struct condition_scanner *scanner);

/* Skips white space, then the token if it comes next; a word only as a whole. */
bool condition_accept(struct condition_scanner *scanner, const char *token);

/* Reads a number, null or the name of an errno, and maps it to the key that tests see. -EINVAL or -ENOMEM. */
int condition_read_constant(struct condition_scanner *scanner, const struct condition_domain *domain,
                            condition_wide *ret_key);

#endif
