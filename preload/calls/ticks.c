#include "preload/calls/ticks.h"

static uint64_t ticks_unset(void)
{
    return 0;
}

uint64_t (*ticks_now)(void) = ticks_unset;

void ticks_init(uint64_t (*now)(void))
{
    ticks_now = now;
}
