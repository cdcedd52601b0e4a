/* A library that needs no other. */
#include "victim.h"

TRACKED int late_alone(int value)
{
    TOUCH();
    return (value ^ 0x12345678) + 1;
}
