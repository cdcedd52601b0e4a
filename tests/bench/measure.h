/* What the benchmarks share: samples of interleaved rounds, and the form in which results are printed.
 *
 * A result is one line, tab-separated: what, value, unit, and the bound that it must not exceed ("-" if there is none).
 */
#ifndef CALLMETER_TESTS_MEASURE_H
#define CALLMETER_TESTS_MEASURE_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts the samples. */
static inline double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), compare_doubles);
    return samples[count / 2];
}

/* The first decile: what else runs on the processor's core only adds, and not in all rounds. Sorts the samples. */
static inline double undisturbed(double *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), compare_doubles);
    return samples[count / 10];
}

static inline void pin_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* bound 0: none. */
static inline void report(const char *what, double value, const char *unit, double bound)
{
    if (bound > 0)
        printf("%s\t%.3f\t%s\t%.2f\n", what, value, unit, bound);
    else
        printf("%s\t%.3f\t%s\t-\n", what, value, unit);
}

#endif
