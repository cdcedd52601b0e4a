/* A library whose constructor starts threads that call 200 small functions at full speed: they run while callmeter,
 * whose own constructor comes later, writes jumps into them. */
#ifndef CALLMETER_TESTS_LIVE_LIBRARY_H
#define CALLMETER_TESTS_LIVE_LIBRARY_H

enum {
    LIVE_FUNCTIONS = 200
};

/* Stops the threads. What each of the functions was called in all, before this. */
void live_stop(unsigned long *ret_calls);

/* What a thread has of its own, as the kernel says, but for the stack: of that libc does. */
struct live_state {
    unsigned long mask;
    unsigned long trap_action[4]; /* handler, flags, restorer, mask */
    unsigned long stack_low, stack_bytes, stack_flags;
};

void live_note_state(struct live_state *state);

/* Of the threads, when they were stopped. */
const struct live_state *live_states(int *ret_count);

/* Calls each of the functions so often. */
void live_call_each(unsigned long calls);

/* How often a call had the wrong result. */
unsigned long live_wrong_results(void);

#endif
