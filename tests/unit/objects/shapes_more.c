/* The other file: a static function of the same name, and calls out of the library, which make PLT stubs. */
#include <stdlib.h>

#include "shapes.h"

static __attribute__((noinline, noclone, noipa, used)) int helper(int value)
{
    shapes_sink = value;
    return value * 5 + shapes_sink;
}

int shapes_second(int value)
{
    return helper(value) + abs(rand());
}
