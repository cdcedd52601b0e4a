/* Where the number of a gauge is, if it is a variable's. */
#include "symbols/elf/variable.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

int resolve_gauge(struct variable_search *search, const struct manifest_gauge *gauge, struct variable *ret_variable,
                  struct diag *diag)
{
    const struct variable_query query = {.name = gauge->global,
                                         .object = gauge->object,
                                         .type = gauge->type,
                                         .offset = gauge->offset,
                                         .is_deref = gauge->is_deref};

    return variable_find(search, &query, ret_variable, diag);
}
