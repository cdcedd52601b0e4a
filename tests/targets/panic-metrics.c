/* Dies where it is told to: in a function within another, in the outer one, or in neither. */
#include "victim.h"

#include <stdlib.h>

TRACKED int parse(volatile int *request)
{
    TOUCH();
    return *request + 1;
}

TRACKED int serve(volatile int *request)
{
    int parsed;

    TOUCH();
    if (!request)
        abort();
    parsed = parse(request);
    TOUCH();
    return parsed;
}

static void die_within(void)
{
    serve((volatile int *)8);
}

static void die_outside(void)
{
    serve(NULL);
}

static void die_in_neither(void)
{
    volatile int request = 1;

    serve(&request);
    abort();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"within", die_within},
        {"outside", die_outside},
        {"neither", die_in_neither},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
