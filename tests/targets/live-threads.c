/* Needs the library whose functions are running while they are patched. Prints `bounds FUNCTION LOW HIGH`: the calls
 * after the start, and those before it in addition, of which callmeter has seen some. */
#include "live-library.h"
#include "victim.h"

enum {
    CALLS = 1000
};

int main(void)
{
    unsigned long before[LIVE_FUNCTIONS];

    live_stop(before);
    live_call_each(CALLS);
    CHECK(live_wrong_results() == 0);
    for (int i = 0; i < LIVE_FUNCTIONS; i++)
        printf("bounds hot_%d %d %lu\n", i, CALLS, before[i] + CALLS);
    return victim_finish();
}
