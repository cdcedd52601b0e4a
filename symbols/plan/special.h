/* Functions that are known by name to be no ordinary ones. Private to symbols/plan/. */
#ifndef CALLMETER_SYMBOLS_PLAN_SPECIAL_H
#define CALLMETER_SYMBOLS_PLAN_SPECIAL_H

#include <stdbool.h>

#include "symbols/plan/plan.h"

/* What the name says; PLAN_REASON_NONE: nothing. Takes NULL. Context: startup. */
enum plan_reason special_reason(const char *symbol);

/* The name of a function that never returns is one that GHC gives to Haskell code (stg_ap_p_info,
 * base_GHCziBase_map_info). C has names in _info too, so there must be one of its encoded characters in it, or
 * it must be likely: the object has Haskell code, or this code leaves by a jump through one of Haskell's registers.
 * Takes NULL. */
bool special_is_haskell(const char *symbol, bool is_likely);

#endif
