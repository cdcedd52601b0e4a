/* What a signal handler that forks has interrupted: its child returns into that, with the parent's block still in
 * registers if it was the trampoline. */
#ifndef CALLMETER_PRELOAD_THREADS_HALFWAY_H
#define CALLMETER_PRELOAD_THREADS_HALFWAY_H

#include <stdint.h>

#include "preload/records/hot.h"

/* In a forked child, when the calling thread has its block and the calls in progress that it shares with its parent are
 * counted as begun: leads what was interrupted in the trampoline from the block of the parent's thread to the lane's
 * own, and sets right what was done by half. Context: hot. */
void halfway_move(const struct lane *lane, const uint8_t *before, uint64_t block_bytes);

/* Counts how long a call took as often as `weight` says, if the trampoline has counted that in its home cell. Context:
 * hot.
 */
void halfway_count_duration(const struct lane *lane, const struct record *record, uint64_t weight);

#endif
