/* Each call is timed with the probability 1 / interval, whatever was before: so work that repeats in step with the
 * sampling is seen as often as other work. The calls until the next timed one, which are distributed geometrically, are
 * drawn when one is timed, and the stub counts them down in a word of the thread's block:
 *
 *   above 1    that many more calls until one is timed
 *   1          the next one is
 *   0 or less  nothing was drawn: all calls are timed, unless the interval is not 1 any more */
#include "preload/calls/sampling.h"

#include "preload/machine/x86_64/cpu.h"
#include "preload/records/counters.h"
#include "preload/records/lane.h"
#include "preload/threads/attach.h"

#define INTERVAL_ONE (UINT64_C(1) << 32)

enum {
    LOG_BITS = 6,
    LOG_STEPS = 1 << LOG_BITS,
};

/* Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016): xorshift64*. */
static uint64_t random_next(struct lane *lane)
{
    uint64_t x = lane->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    lane->random = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* log2 of 1 + i / LOG_STEPS, with 32 bits of fraction. */
static uint64_t logs[LOG_STEPS + 1];

/* log2(x / 2^63) of a number whose highest bit is set: the squares of what follows that bit give it bit by bit. */
static uint64_t log2_exactly(uint64_t x)
{
    uint64_t fraction = 0;

    for (unsigned i = 0; i < 32; i++) {
        unsigned __int128 square = (unsigned __int128)x * x;
        unsigned is_carried = (unsigned)(square >> 127);

        fraction = fraction << 1 | is_carried;
        x = (uint64_t)(square >> (63 + is_carried));
    }
    return fraction;
}

void sampling_init(void)
{
    for (unsigned i = 0; i < LOG_STEPS; i++)
        logs[i] = log2_exactly((UINT64_C(1) << 63) + ((uint64_t)i << (63 - LOG_BITS)));
    logs[LOG_STEPS] = INTERVAL_ONE;
}

/* -log2(random / 2^64), with 32 bits of fraction, to some 40 millionths: on a line between two that are known. */
static uint64_t minus_log2(uint64_t random)
{
    unsigned zeros;
    unsigned step;
    uint64_t x;
    uint64_t rest;

    random |= random == 0;
    zeros = (unsigned)__builtin_clzll(random);
    x = random << zeros << 1;
    step = (unsigned)(x >> (64 - LOG_BITS));
    rest = (uint32_t)(x >> (32 - LOG_BITS));
    return ((uint64_t)(zeros + 1) << 32) - logs[step] - (((logs[step + 1] - logs[step]) * rest) >> 32);
}

/* Calls that are passed over before the next timed one. */
static uint64_t draw_skip(struct lane *lane, const struct segment_sampling *sampling)
{
    uint64_t scale = __atomic_load_n(&sampling->scale, __ATOMIC_RELAXED);

    return (uint64_t)(((unsigned __int128)minus_log2(random_next(lane)) * scale) >> 64);
}

/* The interval as a whole number: the one below or the one above it, as often as makes it right on average. */
static uint64_t draw_weight(struct lane *lane, uint64_t interval)
{
    return (interval >> 32) + ((uint32_t)random_next(lane) < (uint32_t)interval);
}

static struct sampling_decision leave_out(struct lane *lane, const struct extra *extra)
{
    const struct hook *untimed = extra->roles[EXTRA_UNTIMED].base;

    if (!extra->skipped)
        return (struct sampling_decision){untimed, SAMPLE_UNTIMED};
    cpu_add((uint64_t *)(*lane->block_ref + extra->skipped), 1);
    return (struct sampling_decision){extra->roles[EXTRA_TIMED].base, SAMPLE_OUT};
}

struct sampling_decision sampling_decide(const struct hook *weighed)
{
    const struct extra *extra = weighed->extra;
    const struct sampling_decision timed = {extra->roles[EXTRA_TIMED].base, SAMPLE_TIMED};
    uint64_t interval = __atomic_load_n(&extra->sampling->interval, __ATOMIC_RELAXED);
    struct lane *lane = lane_here();
    int64_t *skip = (int64_t *)(*lane->block_ref + extra->skip);
    bool is_begun;

    if (lane == &lane_ours || !*lane->block_ref)
        return timed;
    is_begun = *skip == 0;
    if (interval <= INTERVAL_ONE) {
        *skip = -1;
        return timed;
    }
    *skip = (int64_t)draw_skip(lane, extra->sampling);
    if (!is_begun && *skip > 0)
        return leave_out(lane, extra);
    if (!is_begun)
        *skip = (int64_t)draw_skip(lane, extra->sampling);
    ++*skip;
    *(uint64_t *)(*lane->block_ref + extra->weight) = draw_weight(lane, interval);
    return (struct sampling_decision){weighed, SAMPLE_TIMED};
}
