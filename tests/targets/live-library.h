/* A library whose constructor starts threads that call 200 small functions at full speed: they run while callmeter,
 * whose own constructor comes later, writes jumps into them. */
#ifndef CALLMETER_TESTS_LIVE_LIBRARY_H
#define CALLMETER_TESTS_LIVE_LIBRARY_H

enum {
    LIVE_FUNCTIONS = 200
};

/* Stops the threads. What each of the functions was called in all, before this. */
void live_stop(unsigned long *ret_calls);

/* Calls each of the functions so often. */
void live_call_each(unsigned long calls);

/* How often a call had the wrong result. */
unsigned long live_wrong_results(void);

#endif
