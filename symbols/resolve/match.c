/* Which functions a name or a glob of the manifest means. */
#include "symbols/resolve/resolution.h"

#include <stdlib.h>
#include <string.h>

#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"

/* Compares with one form of the demangled name. Takes `text` over. */
static bool resolve_matches_text(const char *pattern, bool is_glob, char *text)
{
    char *plain = is_glob ? NULL : strdup(pattern);
    bool is_match = false;

    if (text && is_glob) {
        is_match = name_glob(pattern, text);
    } else if (text && plain) {
        demangle_normalize(plain);
        demangle_normalize(text);
        is_match = strcmp(plain, text) == 0;
    }
    free(plain);
    free(text);
    return is_match;
}

bool resolve_matches(const char *pattern, bool is_glob, const struct symbol *symbol)
{
    size_t length;

    if (is_glob ? name_glob(pattern, symbol->name) : strcmp(pattern, symbol->name) == 0)
        return true;
    if (!demangle_is_mangled(symbol->name))
        return false;
    name_split_clone(symbol->name, &length);
    for (int form = DEMANGLE_FULL; form <= DEMANGLE_NAME; form++) {
        if (resolve_matches_text(pattern, is_glob, demangle(symbol->name, length, (enum demangle_form)form)))
            return true;
    }
    return false;
}
