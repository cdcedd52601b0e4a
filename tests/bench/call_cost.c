/* What a tracked call costs: a loop of calls against the same loop of untracked ones, in units of two rdtsc.
 *
 * Run under callmeter with call_cost.json: full_call and its judged kin are timed, count_call is counted. Rounds of all
 * loops are interleaved, so that a change of the clock's speed meets all of them; of each the same low quantile is
 * taken. */
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#define NOINLINE __attribute__((noinline, noclone))
#define TOUCH()  __asm__ volatile("" ::: "memory")

enum {
    CALLS = 2000,
    ROUNDS = 501,
    DEPTH = 16
};

#define CALLEE(name)                                                                                                   \
    NOINLINE int name(int value);                                                                                      \
    NOINLINE int name(int value)                                                                                       \
    {                                                                                                                  \
        TOUCH();                                                                                                       \
        return value * 3 + 70;                                                                                         \
    }

NOINLINE int labelled_call(const char *table, int value);
NOINLINE int labelled_call(const char *table, int value)
{
    TOUCH();
    return value * 3 + 70 + (table == NULL);
}

enum {
    TABLES = 8
};

/* Heap, as most strings of a program are. */
static char *tables[TABLES];

/* The same callee below DEPTH frames that are not tracked. */
#define CHAIN(name, callee)                                                                                            \
    NOINLINE static int name(int depth, int value)                                                                     \
    {                                                                                                                  \
        int result = depth ? name(depth - 1, value) : callee(value);                                                   \
                                                                                                                       \
        TOUCH();                                                                                                       \
        return result;                                                                                                 \
    }

CALLEE(bare_call)
CALLEE(full_call)
CALLEE(judged_call)
CALLEE(float_judged_call)
CALLEE(count_call)
CALLEE(sampled_call)
CALLEE(sampled_judged_call)
CHAIN(bare_chain, bare_call)
CHAIN(full_chain, full_call)

enum loop {
    LOOP_EMPTY,
    LOOP_TWO_RDTSC,
    LOOP_BARE,
    LOOP_FULL,
    LOOP_JUDGED,
    LOOP_FLOAT_JUDGED,
    LOOP_COUNT,
    LOOP_SAMPLED,
    LOOP_SAMPLED_JUDGED,
    LOOP_LABELLED,
    LOOP_LABELLED_IN_TURN,
    LOOP_BARE_CHAIN,
    LOOP_FULL_CHAIN,
    LOOPS,
};

static double samples[LOOPS][ROUNDS];

#define TIME(statement)                                                                                                \
    do {                                                                                                               \
        for (int i = 0; i < CALLS; i++) {                                                                              \
            statement;                                                                                                 \
            TOUCH();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void run_loop(enum loop loop)
{
    switch (loop) {
    case LOOP_EMPTY:
        TIME((void)i);
        break;
    case LOOP_TWO_RDTSC:
        TIME(__rdtsc(); __rdtsc());
        break;
    case LOOP_BARE:
        TIME(bare_call(i));
        break;
    case LOOP_FULL:
        TIME(full_call(i));
        break;
    case LOOP_JUDGED:
        TIME(judged_call(i));
        break;
    case LOOP_FLOAT_JUDGED:
        TIME(float_judged_call(i));
        break;
    case LOOP_COUNT:
        TIME(count_call(i));
        break;
    case LOOP_SAMPLED:
        TIME(sampled_call(i));
        break;
    case LOOP_SAMPLED_JUDGED:
        TIME(sampled_judged_call(i));
        break;
    case LOOP_LABELLED:
        TIME(labelled_call(tables[0], i));
        break;
    case LOOP_LABELLED_IN_TURN:
        TIME(labelled_call(tables[i % TABLES], i));
        break;
    case LOOP_BARE_CHAIN:
        TIME(bare_chain(DEPTH, i));
        break;
    case LOOP_FULL_CHAIN:
        TIME(full_chain(DEPTH, i));
        break;
    case LOOPS:
        break;
    }
}

static double time_loop(enum loop loop)
{
    uint64_t start = now_ns();

    run_loop(loop);
    return (double)(now_ns() - start) / CALLS;
}

/* Where threads wait for each other, each turn, without going to sleep. */
struct meeting {
    int threads;
    atomic_int arrived;
};

static void meet(struct meeting *meeting, int turn)
{
    atomic_fetch_add(&meeting->arrived, 1);
    while (atomic_load(&meeting->arrived) < (turn + 1) * meeting->threads)
        _mm_pause();
}

enum {
    TOGETHER = 4 /* loops that threads run at the same time, the first of enum loop */
};

struct worker {
    pthread_t thread;
    struct meeting *meeting;
    int cpu;
    double added; /* by a timed call, in units of two rdtsc */
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    double rounds[TOGETHER][ROUNDS];
    double cost[TOGETHER];

    pin_to_cpu(worker->cpu);
    for (int turn = 0; turn < TOGETHER * ROUNDS; turn++) {
        meet(worker->meeting, turn);
        rounds[turn % TOGETHER][turn / TOGETHER] = time_loop((enum loop)(turn % TOGETHER));
    }
    for (int loop = 0; loop < TOGETHER; loop++)
        cost[loop] = undisturbed(rounds[loop], ROUNDS);
    worker->added = (cost[LOOP_FULL] - cost[LOOP_BARE]) / (cost[LOOP_TWO_RDTSC] - cost[LOOP_EMPTY]);
    return NULL;
}

/* What a timed call adds while `count` threads make them, each on its CPU: the worst one. Where two CPUs are one
 * core's, all that a thread does is slower then, so the unit is measured beside it. */
static double time_threads(int count)
{
    struct worker workers[2];
    struct meeting meeting = {.threads = count};
    double worst = 0;

    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.meeting = &meeting, .cpu = i};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        worst = workers[i].added > worst ? workers[i].added : worst;
    }
    return worst;
}

/* With "peer" as the argument, the cost under another tool: the same line, with no bound. */
int main(int argc, char **argv)
{
    int is_peer = argc > 1 && !strcmp(argv[1], "peer");
    double cost[LOOPS], clock_cost, added, added_deep;

    pin_to_cpu(0);
    for (int i = 0; i < TABLES; i++) {
        tables[i] = strdup("customers_by_region");
        tables[i][0] = (char)(tables[i][0] + i);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int loop = 0; loop < LOOPS; loop++)
            samples[loop][round] = time_loop((enum loop)loop);
    }
    for (int loop = 0; loop < LOOPS; loop++)
        cost[loop] = undisturbed(samples[loop], ROUNDS);
    clock_cost = cost[LOOP_TWO_RDTSC] - cost[LOOP_EMPTY];
    added = cost[LOOP_FULL] - cost[LOOP_BARE];
    added_deep = cost[LOOP_FULL_CHAIN] - cost[LOOP_BARE_CHAIN];
    if (is_peer) {
        report(argc > 2 ? argv[2] : "peer", added / clock_cost, "x two rdtsc", 0);
        return 0;
    }
    report("bare call", cost[LOOP_BARE], "ns", 0);
    report("two rdtsc", clock_cost, "ns", 0);
    report("timed call, added", added, "ns", 0);
    report("timed call, added", added / clock_cost, "x two rdtsc", 1.6);
    report("timed call under 16 frames, added", added_deep / added, "x the same alone", 1.5);
    report("timed call with errno judged, added", (cost[LOOP_JUDGED] - cost[LOOP_BARE]) / clock_cost, "x two rdtsc", 0);
    report("timed call with a float judged, added", (cost[LOOP_FLOAT_JUDGED] - cost[LOOP_BARE]) / clock_cost,
           "x two rdtsc", 0);
    report("timed call with a string label, added", (cost[LOOP_LABELLED] - cost[LOOP_BARE]) / clock_cost, "x two rdtsc",
           3);
    report("timed call with one of 8 string labels, added",
           (cost[LOOP_LABELLED_IN_TURN] - cost[LOOP_BARE]) / clock_cost, "x two rdtsc", 3);
    report("sampled call (1 in 10 000), added", (cost[LOOP_SAMPLED] - cost[LOOP_BARE]) / clock_cost, "x two rdtsc",
           0.25);
    report("sampled call that is judged, added", (cost[LOOP_SAMPLED_JUDGED] - cost[LOOP_BARE]) / clock_cost,
           "x two rdtsc", 0);
    report("counted call, added", (cost[LOOP_COUNT] - cost[LOOP_BARE]) / clock_cost, "x two rdtsc", 0.15);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        report("timed call, added, two threads at once", time_threads(2) / time_threads(1), "x one thread", 1.25);
    return 0;
}
