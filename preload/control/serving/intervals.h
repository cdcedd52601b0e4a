/* Which share of each function's calls is timed, so that all of it costs no more than the budget. Pure: no clock, no
 * segment. */
#ifndef CALLMETER_PRELOAD_CONTROL_SERVING_INTERVALS_H
#define CALLMETER_PRELOAD_CONTROL_SERVING_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    INTERVALS_MAX = 1 << 20, /* calls per timed call, at most, but where sample_rate asks for more */
};

/* One function, during one turn. Times in seconds. */
struct interval_load {
    double calls;
    double timed_cost;   /* of a call while all are timed */
    double sampled_cost; /* of a timed call while others are not: more, since the next one has to be drawn */
    double passed_cost;  /* of one of those others; less than the two above */
    double least;        /* what sample_rate asks for; 1 or more */
    double interval;     /* calls per timed call in this turn; intervals_choose sets the next turn's */
    bool is_fixed;       /* that is `least`, and never changes */
};

/* What the calls of one load cost at its interval. */
double intervals_cost(const struct interval_load *load);

/* Sets the intervals so that calls like those of this turn take no more than `share` of the CPU time: a function that
 * is called often is timed as often as any other, one that is called rarely each time. What fits is left alone; an
 * interval that need not be so long comes down by half at most, and not for a trifle. `cpu_seconds` is the CPU time of
 * the turn, above 0; share in (0, 1). False: calls that are only counted take more than the share by themselves. A
 * timed call in every so many is kept even then, which adds little to that. */
bool intervals_choose(struct interval_load *loads, size_t count, double cpu_seconds, double share);

/* A turn in which the program did nothing: the intervals come down, slowly. */
void intervals_relax(struct interval_load *loads, size_t count);

#endif
