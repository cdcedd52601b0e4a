/* A small library of which signal-storm has several, by NUMBER. */
#include "victim.h"

#define PASTE(name, number)  name##number
#define EXPAND(name, number) PASTE(name, number)

int EXPAND(storm_inner_, NUMBER)(int value);
int EXPAND(storm_outer_, NUMBER)(int value);

TRACKED int EXPAND(storm_inner_, NUMBER)(int value)
{
    TOUCH();
    return value + NUMBER;
}

TRACKED int EXPAND(storm_outer_, NUMBER)(int value)
{
    int inner = EXPAND(storm_inner_, NUMBER)(value);

    TOUCH();
    return inner * 2;
}
