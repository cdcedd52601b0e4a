/* Calls through a trampoline in a test: a stub as the patcher writes it, a lane, a block and a scripted clock. Linked
 * with the data plane (libhot.a). */
#ifndef CALLMETER_TESTS_UNIT_PLANTED_H
#define CALLMETER_TESTS_UNIT_PLANTED_H

#include <stdint.h>

#include "preload/control/tracking/hooks.h"
#include "preload/records/hot.h"

enum {
    PLANTED_CELL = SEGMENT_BLOCK_HEADER_BYTES, /* where the hooks' cell lies in the block */
    PLANTED_BLOCK_BYTES = 4096,
};

extern struct lane planted_lane;

/* For cmocka: makes the lane, and lets the calling thread have it. */
int planted_setup(void **state);

/* A hook for the function, whose original returns `planted_result`. Valid until the next one is made. */
struct hook *planted_hook_make(const struct manifest_function *function, const struct clock *clock, uint32_t flags);

/* A tracked call that begins and ends when the clock says so. What it returned is checked. */
void planted_call(const struct hook *hook, uint64_t begin, uint64_t end, uint64_t result);

/* A word of the cell; and all of them back to 0. */
uint64_t planted_word(unsigned word);
void planted_clear(void);

#endif
