/* The clock of the trampolines: the time-stamp counter where it is one, clock_gettime(CLOCK_MONOTONIC) otherwise. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_CLOCK_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    bool is_tsc;
    double seconds_per_tick;
    uint64_t (*now)(void); /* general registers only */
    uint64_t begin_ticks;  /* private: the first look at both clocks */
    uint64_t begin_ns;
};

/* Chooses the clock and takes the first look. Context: startup. */
void clock_begin(struct clock *clock);

/* Takes the second look, at least 2 ms after the first (it waits if there is no more to do), and sets seconds_per_tick:
 * better than 1 part in 10 000. Context: startup. */
void clock_calibrate(struct clock *clock);

/* Ticks that fit in `seconds`: the largest count that is not longer. */
uint64_t clock_ticks(const struct clock *clock, double seconds);

#endif
