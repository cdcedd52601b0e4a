/* The program's own work and what tracking adds to it share the CPU. A busy program does more of its own when tracking
 * takes less, so the room that there is for tracking is reckoned from its own work, and not from the CPU time: to be a
 * share s of the whole is to be s / (1 - s) of the rest.
 *
 * All functions get the same cap on timed calls in a turn. What is called less often than that is timed always, so hot
 * functions pay first. The cap is the largest one that fits, found by bisection: the lower it is, the less it costs. */
#include "preload/control/serving/intervals.h"

#include <math.h>

enum {
    BISECTIONS = 48,
};

static const double aim = 0.9;         /* of the share: to stay below it although turns differ */
static const double trifle = 1.25;     /* an interval that is longer than needed by less than this is left alone */
static const double own_least = 0.02;  /* of the CPU time: costs are estimates, which may add up to more than all */
static const double timed_least = 0.1; /* of what the calls that are only counted take */
static const double relaxed = 0.9;     /* of the interval, after a turn of idleness */
static const double lowered = 0.5;     /* of the interval, at most, after any other */

static double cost_at(const struct interval_load *load, double interval)
{
    if (interval <= 1)
        return load->calls * load->timed_cost;
    return load->calls * (load->sampled_cost / interval + load->passed_cost * (1 - 1 / interval));
}

double intervals_cost(const struct interval_load *load)
{
    return cost_at(load, load->interval);
}

static double total_cost(const struct interval_load *loads, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += intervals_cost(&loads[i]);
    return sum;
}

/* The interval, or the next one that is worth it: to leave out few calls costs more than to time all. */
static double worthwhile(const struct interval_load *load, double interval)
{
    double even = (load->sampled_cost - load->passed_cost) / (load->timed_cost - load->passed_cost);

    if (load->least <= 1 && interval < even)
        interval = even;
    return ceil(interval);
}

/* The interval for a cap on timed calls, above 0. */
static double capped(const struct interval_load *load, double cap)
{
    double interval = load->calls / cap;
    double most = load->least > INTERVALS_MAX ? load->least : INTERVALS_MAX;

    if (load->is_fixed)
        return load->interval;
    if (interval <= load->least)
        return load->least;
    interval = worthwhile(load, interval);
    return interval < most ? interval : most;
}

static double cost_below(const struct interval_load *loads, size_t count, double cap)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += cost_at(&loads[i], capped(&loads[i], cap));
    return sum;
}

static double most_calls(const struct interval_load *loads, size_t count)
{
    double most = 1;

    for (size_t i = 0; i < count; i++)
        if (loads[i].calls > most)
            most = loads[i].calls;
    return most;
}

/* A cap at which all intervals are at their longest. */
static double cap_least(const struct interval_load *loads, size_t count)
{
    double least = most_calls(loads, count);

    for (size_t i = 0; i < count; i++)
        if (loads[i].calls > 0 && loads[i].calls < least)
            least = loads[i].calls;
    return least / INTERVALS_MAX / 2;
}

static double find_cap(const struct interval_load *loads, size_t count, double room)
{
    double low = log2(cap_least(loads, count));
    double high = log2(most_calls(loads, count));

    if (cost_below(loads, count, exp2(high)) <= room)
        return exp2(high);
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;

        if (cost_below(loads, count, exp2(middle)) <= room)
            low = middle;
        else
            high = middle;
    }
    return exp2(low);
}

static double come_down(const struct interval_load *load, double wanted, double factor)
{
    double interval = load->interval * factor;

    if (interval < wanted)
        interval = wanted;
    if (interval <= load->least || worthwhile(load, interval) > ceil(interval))
        return load->least;
    return ceil(interval) < load->interval ? ceil(interval) : load->least;
}

static void settle(struct interval_load *load, double wanted, bool is_over)
{
    if (wanted > load->interval && is_over)
        load->interval = wanted;
    else if (wanted * trifle < load->interval)
        load->interval = come_down(load, wanted, lowered);
}

bool intervals_choose(struct interval_load *loads, size_t count, double cpu_seconds, double share)
{
    double cost = total_cost(loads, count);
    double own = fmax(cpu_seconds - cost, cpu_seconds * own_least);
    double floor = cost_below(loads, count, cap_least(loads, count));
    double lowest = floor * (1 + timed_least);
    double room = own * share / (1 - share);
    double room_aimed = own * share * aim / (1 - share * aim);
    double cap = find_cap(loads, count, fmax(room_aimed, lowest));
    bool is_over = cost > room;

    for (size_t i = 0; i < count; i++)
        settle(&loads[i], capped(&loads[i], cap), is_over);
    return floor <= room;
}

void intervals_relax(struct interval_load *loads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (loads[i].interval > loads[i].least)
            loads[i].interval = come_down(&loads[i], loads[i].least, relaxed);
}
