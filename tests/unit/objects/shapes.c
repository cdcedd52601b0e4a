/* Aliases, an IFUNC, two versions of one name and a static function that another file has too. */
#include "shapes.h"

#define KEPT __attribute__((noinline, noclone, noipa, used))

volatile int shapes_sink;

static KEPT int helper(int value)
{
    shapes_sink = value;
    return value * 3 + shapes_sink;
}

int shapes_first(int value)
{
    return helper(value) + shapes_second(value);
}

int shapes_alias(int value) __attribute__((alias("shapes_first")));

static KEPT int shapes_pick_this(int value)
{
    shapes_sink = value;
    return value + 1;
}

static int (*shapes_pick(void))(int)
{
    return shapes_pick_this;
}

int shapes_chosen(int value) __attribute__((ifunc("shapes_pick")));

KEPT int shapes_old(int value)
{
    shapes_sink = value;
    return value - 1;
}

KEPT int shapes_new(int value)
{
    shapes_sink = value;
    return value - 2;
}

__asm__(".symver shapes_old, shapes_api@SHAPES_1");
__asm__(".symver shapes_new, shapes_api@@SHAPES_2");
