/* For victims whose truth is more than outcomes: lines that name samples of the scrape, checked by
 * tests/lib/samples.py.
 *
 *   sample NAME{LABELS} VALUE      exactly one sample has these labels, and this value; a label "" is one that is
 * absent total NAME{LABELS} VALUE       the sum of all samples that have these labels series NAME{LABELS} NUMBER how
 * many samples have these labels between NAME{LABELS} LOW HIGH  exactly one sample has these labels, and it lies
 * between the two
 *
 * Names are without the namespace, labels are escaped as in the exposition. */
#ifndef CALLMETER_TESTS_SAMPLES_H
#define CALLMETER_TESTS_SAMPLES_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Judged calls of one series. */
struct outcomes {
    uint64_t success;
    uint64_t error;
    uint64_t throttled;
    uint64_t abandoned;
};

static inline void say_sample(const char *name, const char *labels, uint64_t value)
{
    printf("sample %s{%s} %llu\n", name, labels, (unsigned long long)value);
}

/* All outcomes of the one series that has these labels, and how many calls were timed. */
static inline void say_outcomes(const char *labels, const struct outcomes *counts)
{
    printf("sample calls_total{%s,outcome=\"success\"} %llu\n", labels, (unsigned long long)counts->success);
    printf("sample calls_total{%s,outcome=\"error\"} %llu\n", labels, (unsigned long long)counts->error);
    printf("sample calls_total{%s,outcome=\"throttled\"} %llu\n", labels, (unsigned long long)counts->throttled);
    printf("sample calls_total{%s,outcome=\"abandoned\"} %llu\n", labels, (unsigned long long)counts->abandoned);
    printf("sample calls_total{%s,outcome=\"panic\"} 0\n", labels);
    say_sample("call_duration_seconds_count", labels, counts->success + counts->error + counts->throttled);
}

static inline double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double unix_seconds(void)
{
    return seconds_of(CLOCK_REALTIME);
}

/* A moment that the victim has between two marks of its own. The exported one is computed from another clock at the
 * scrape, so a second is granted for a clock that is being set. */
static inline void say_moment(const char *name, const char *labels, double before, double after)
{
    printf("between %s{%s} %.3f %.3f\n", name, labels, before - 1, after + 1);
}

#endif
