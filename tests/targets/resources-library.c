/* A library whose variables are resources: one that programs use themselves, and others. */
#include "resources-library.h"

#include "victim.h"

__attribute__((visibility("default"))) int64_t library_level = 1;
__attribute__((visibility("default"))) int64_t library_own = 2;
static int32_t library_static = 3;

TRACKED void library_raise(int by)
{
    library_level += by;
    library_own += by;
    library_static += by;
    TOUCH();
}
