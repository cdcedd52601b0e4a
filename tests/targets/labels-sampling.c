/* Very many calls, of which a share is timed. The truth of what is timed is a range: three standard deviations. */
#include "samples.h"
#include "victim.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    THREADS = 4,
    CALLS = 2500000, /* of each thread */
    SPIN_NS = 40000
};

static double rate;

TRACKED int tick(int value)
{
    TOUCH();
    return value + 1;
}

/* Fails at every 10th, is throttled at every 15th that is not. */
TRACKED int judged(int value)
{
    TOUCH();
    return value % 10 == 9 ? -1 : value % 15 == 1;
}

TRACKED int by_kind(int kind)
{
    TOUCH();
    return kind;
}

/* A binomial count over `calls`, weighted by 1 / rate. */
static void say_weighted(const char *labels, double calls, double deviations)
{
    double deviation = sqrt(calls * (1 - rate) / rate);

    printf("between call_duration_seconds_count{%s} %.0f %.0f\n", labels, floor(calls - deviations * deviation),
           ceil(calls + deviations * deviation));
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *tick_many(void *unused)
{
    int value = 0;

    for (int i = 0; i < CALLS; i++)
        value = tick(value);
    CHECK(value == CALLS);
    return unused;
}

static void plain(void)
{
    run_threads(tick_many);
    say_sample("calls_total", "function=\"tick\",outcome=\"success\"", (uint64_t)THREADS * CALLS);
    printf("total calls_total{function=\"tick\"} %lld\n", (long long)THREADS * CALLS);
    say_weighted("function=\"tick\"", (double)THREADS * CALLS, 3);
}

static void *judge_many(void *unused)
{
    for (int i = 0; i < CALLS; i++)
        judged(i);
    return unused;
}

/* Outcomes are of all calls, timed or not. */
static void outcomes(void)
{
    struct outcomes counts = {0};

    run_threads(judge_many);
    for (int i = 0; i < CALLS; i++) {
        counts.error += i % 10 == 9;
        counts.throttled += i % 10 != 9 && i % 15 == 1;
    }
    printf("sample calls_total{function=\"judged\",outcome=\"error\"} %llu\n",
           (unsigned long long)counts.error * THREADS);
    printf("sample calls_total{function=\"judged\",outcome=\"throttled\"} %llu\n",
           (unsigned long long)counts.throttled * THREADS);
    printf("sample calls_total{function=\"judged\",outcome=\"success\"} %llu\n",
           (unsigned long long)(CALLS - counts.error - counts.throttled) * THREADS);
    say_weighted("function=\"judged\"", (double)THREADS * CALLS, 3);
}

static void *label_many(void *unused)
{
    for (int i = 0; i < CALLS / 10; i++)
        by_kind(i % 5);
    return unused;
}

/* Labels are of all calls too. */
static void labels(void)
{
    char text[64];

    run_threads(label_many);
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "function=\"by_kind\",number=\"%d\"", i);
        printf("sample calls_total{%s,outcome=\"success\"} %d\n", text, THREADS * CALLS / 50);
        say_weighted(text, THREADS * CALLS / 50.0, 5);
    }
}

/* Every hundredth call is a slow one. */
TRACKED int periodic(int value)
{
    double start = seconds_of(CLOCK_MONOTONIC);

    if (value % 100 == 99)
        while (seconds_of(CLOCK_MONOTONIC) - start < SPIN_NS / 1e9)
            TOUCH();
    return value;
}

/* Sampling every hundredth call would see no slow one, or nothing else. */
static void lockstep(void)
{
    enum {
        ROUNDS = 500000
    };
    const double slow = ROUNDS / 100.0, deviation = sqrt(slow / rate);

    for (int i = 0; i < ROUNDS; i++)
        CHECK(periodic(i) == i);
    say_sample("calls_total", "function=\"periodic\",outcome=\"success\"", ROUNDS);
    printf("slow %.0f %.0f\n", slow - 5 * deviation, slow + 5 * deviation);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"plain", plain}, {"outcomes", outcomes}, {"labels", labels}, {"lockstep", lockstep}, {NULL, NULL}};

    rate = argc > 2 ? atof(argv[2]) : 1;
    return victim_main(argc, argv, modes);
}
