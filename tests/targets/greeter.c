/* The plain victim: greets as often as it is told to, then waits. Takes its second argument as the number. */
#include "victim.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static int greetings;

#ifdef HUGE
/* So that the program's end is out of reach of its code. */
char huge[UINT64_C(3) << 30];
#endif

TRACKED int greet(int value)
{
    TOUCH();
    greetings++;
    return value;
}

/* Takes about the given time. */
TRACKED int nap(int milliseconds)
{
    struct timespec pause = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

    while (nanosleep(&pause, &pause) != 0)
        ;
    return milliseconds;
}

/* Is in progress for as long as the program waits. */
TRACKED int wait_inside(int value)
{
    int status = victim_finish();

    TOUCH();
    return status + value;
}

TRACKED int wait_deep_inside(int value)
{
    int status = wait_inside(value);

    TOUCH();
    return status;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "greet";
    int count = argc > 2 ? atoi(argv[2]) : 10;

    if (!strcmp(mode, "inside")) {
        count = wait_deep_inside(0);
        TOUCH();
        return count;
    }
    for (int i = 0; i < count; i++)
        CHECK((!strcmp(mode, "nap") ? nap(1) : greet(1)) == 1);
    printf("greeted %d\n", greetings);
    return victim_finish();
}
