/* Threads that go round a loop, some at once and some one after another.
 *
 * The interval from the last iteration of a thread to the first of the next one is nobody's. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>

enum {
    THREADS_AT_ONCE = 3,
    THREADS_IN_TURN = 40,
    ITERATIONS = 500
};

/* What a thread saw: its first and last iteration began between these. */
struct round {
    double before_first, after_first, before_last, after_last;
};

static struct round rounds[THREADS_AT_ONCE + THREADS_IN_TURN];

TRACKED int poll_once(int iteration)
{
    TOUCH();
    return iteration;
}

static void *go_round(void *argument)
{
    struct round *round = argument;

    round->before_first = seconds_of(CLOCK_MONOTONIC);
    poll_once(0);
    round->after_first = seconds_of(CLOCK_MONOTONIC);
    for (int i = 1; i < ITERATIONS - 1; i++)
        poll_once(i);
    round->before_last = seconds_of(CLOCK_MONOTONIC);
    poll_once(ITERATIONS - 1);
    round->after_last = seconds_of(CLOCK_MONOTONIC);
    return NULL;
}

static void run_all(void)
{
    pthread_t threads[THREADS_AT_ONCE], thread;

    for (int i = 0; i < THREADS_AT_ONCE; i++)
        pthread_create(&threads[i], NULL, go_round, &rounds[i]);
    for (int i = 0; i < THREADS_AT_ONCE; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS_IN_TURN; i++) {
        pthread_create(&thread, NULL, go_round, &rounds[THREADS_AT_ONCE + i]);
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    const char *labels = "function=\"poll_once\",kind=\"loop\"";
    const unsigned threads = THREADS_AT_ONCE + THREADS_IN_TURN;
    double least = 0, most = 0, before, after;

    before = unix_seconds();
    run_all();
    after = unix_seconds();
    for (unsigned i = 0; i < threads; i++) {
        least += rounds[i].before_last - rounds[i].after_first;
        most += rounds[i].after_last - rounds[i].before_first;
    }
    printf("truth poll_once success=%u\n", threads * ITERATIONS);
    say_sample("loop_interval_seconds_count", labels, threads * (ITERATIONS - 1));
    /* The rate of the other clock is known to a percent and better. */
    printf("between loop_interval_seconds_sum{%s} %.9f %.9f\n", labels, least * 0.98, most * 1.02);
    say_moment("last_call_timestamp_seconds", labels, before, after);
    return victim_finish();
}
