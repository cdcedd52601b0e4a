/* A copy of a function of params.c, inlined into another: as with inline functions of headers. */
#include "params.h"

int calls_shared(int value);

volatile long more_sink;

__attribute__((gnu_inline, always_inline)) extern inline int shared(int value)
{
    more_sink += value;
    return (int)more_sink - value;
}

__attribute__((noinline, visibility("default"))) int calls_shared(int value)
{
    return shared(value) + 1;
}

struct opaque {
    long before;
    int inside;
};

__attribute__((noinline, visibility("default"))) int opens_opaque(struct opaque *o)
{
    return o->inside;
}
