/* Calls that last from a microsecond to ten milliseconds, in steps of a tenth of a decade, each timed by the program
 * itself.
 *
 * A duration is known to lie between two: `inner` is from the first to the last thing that the function does, `outer`
 * from before its call to after it. Prints `lasted FUNCTION INNER OUTER` for each call, in nanoseconds, and `interval`
 * in place of `lasted` for the time from the start of one call to the start of the next. */
#include "victim.h"

#include <cstdint>
#include <ctime>
#include <vector>

namespace
{

enum {
    CALLS_EACH = 12,
    STEPS = 40, /* ten of them are a decade */
};

/* Moments at which something is known to be: not before the first, not after the second. */
struct span {
    uint64_t low, high;
};

uint64_t first_moment, last_moment; /* of the call made last, as the function saw them */

uint64_t now()
{
    timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return uint64_t(time.tv_sec) * 1000000000u + uint64_t(time.tv_nsec);
}

inline __attribute__((always_inline)) void last(uint64_t nanoseconds)
{
    first_moment = now();
    do
        last_moment = now();
    while (last_moment - first_moment < nanoseconds);
}

} // namespace

extern "C" {

TRACKED int last_plain(uint64_t nanoseconds)
{
    last(nanoseconds);
    return 1;
}

/* Its outcome depends on errno. */
TRACKED int last_judged(uint64_t nanoseconds)
{
    last(nanoseconds);
    return nanoseconds & 1 ? -1 : 1;
}

TRACKED int last_labelled(uint64_t nanoseconds, const char *name)
{
    last(nanoseconds);
    return *name;
}

TRACKED int last_looped(uint64_t nanoseconds)
{
    last(nanoseconds);
    return 2;
}

TRACKED int last_thrown(uint64_t nanoseconds)
{
    last(nanoseconds);
    throw 1;
}
}

namespace
{

void call_judged(uint64_t nanoseconds)
{
    last_judged(nanoseconds);
}

void call_labelled(uint64_t nanoseconds)
{
    last_labelled(nanoseconds, nanoseconds & 1 ? "odd" : "even");
}

void call_thrown(uint64_t nanoseconds)
{
    try {
        last_thrown(nanoseconds);
    } catch (int) {
    }
}

struct tracked {
    const char *name;
    void (*call)(uint64_t nanoseconds);
    bool is_loop;
};

const tracked all[] = {
    {"last_plain", [](uint64_t nanoseconds) { last_plain(nanoseconds); }, false},
    {"last_judged", call_judged, false},
    {"last_labelled", call_labelled, false},
    {"last_looped", [](uint64_t nanoseconds) { last_looped(nanoseconds); }, true},
    {"last_thrown", call_thrown, false},
};

/* The next step of a tenth of a decade, begun in the middle between two bounds. */
double middle_of(int step)
{
    double nanoseconds = 1000 * 1.122018454301963; /* 10 ** 0.05 */

    for (int i = 0; i < step; i++)
        nanoseconds *= 1.2589254117941673; /* 10 ** 0.1 */
    return nanoseconds;
}

void show_all(const tracked &function, const std::vector<span> &starts, const std::vector<span> &ends)
{
    for (size_t i = 0; i < starts.size(); i++)
        printf("lasted %s %llu %llu\n", function.name, (unsigned long long)(ends[i].low - starts[i].high),
               (unsigned long long)(ends[i].high - starts[i].low));
    for (size_t i = 1; function.is_loop && i < starts.size(); i++)
        printf("interval %s %llu %llu\n", function.name, (unsigned long long)(starts[i].low - starts[i - 1].high),
               (unsigned long long)(starts[i].high - starts[i - 1].low));
}

void call_all(const tracked &function)
{
    std::vector<span> starts, ends;

    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < CALLS_EACH; i++) {
            uint64_t before = now();
            uint64_t after;

            function.call(uint64_t(middle_of(step)) + (i & 1));
            after = now();
            starts.push_back({before, first_moment});
            ends.push_back({last_moment, after});
        }
    }
    show_all(function, starts, ends);
}

} // namespace

int main()
{
    for (const tracked &function : all)
        call_all(function);
    return victim_finish();
}
