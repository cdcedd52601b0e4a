/* Needs the library whose functions are running while they are patched. Prints `bounds FUNCTION LOW HIGH`: the calls
 * after the start, and those before it in addition, of which callmeter has seen some. And `own NUMBER ...`: what the
 * threads have of masks, actions and stacks, the first one last. */
#include "live-library.h"
#include "victim.h"

enum {
    CALLS = 1000
};

static void show(int number, const struct live_state *state)
{
    printf("own %d mask %lx action %lx %lx %lx %lx stack %lx %lx %lx\n", number, state->mask, state->trap_action[0],
           state->trap_action[1], state->trap_action[2], state->trap_action[3], state->stack_low, state->stack_bytes,
           state->stack_flags);
}

static void show_all(void)
{
    struct live_state mine;
    int count;
    const struct live_state *states = live_states(&count);

    for (int i = 0; i < count; i++)
        show(i, &states[i]);
    live_note_state(&mine);
    show(count, &mine);
}

int main(void)
{
    unsigned long before[LIVE_FUNCTIONS];

    live_stop(before);
    live_call_each(CALLS);
    CHECK(live_wrong_results() == 0);
    for (int i = 0; i < LIVE_FUNCTIONS; i++)
        printf("bounds hot_%d %d %lu\n", i, CALLS, before[i] + CALLS);
    show_all();
    return victim_finish();
}
