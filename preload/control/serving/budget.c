/* What tracking costs cannot be measured where it is spent, for a look at the clock is most of it. So it is reckoned:
 * the calls that the segment counted since the turn before, each at the price of its kind. A price is so many looks at
 * the clock and so many cycles, measured by tests/bench/call_cost.c in a loop of calls; how long a look and a cycle
 * take here is measured once. */
#include "preload/control/serving/budget.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "preload/control/segment/clock.h"
#include "preload/control/segment/sample_interval.h"
#include "preload/control/serving/cpu_time.h"
#include "preload/control/serving/intervals.h"
#include "server/common/buffer.h"
#include "server/common/pages.h"
#include "server/segment/cells.h"
#include "server/segment/copies.h"
#include "server/segment/view.h"

/* Prices of calls, in cycles, without looks at the clock. */
enum {
    CYCLES_TIMED = 30,
    CYCLES_UNTIMED = 23, /* judged, and not timed */
    CYCLES_PASSED = 2,   /* counted only */
    CYCLES_DRAWN = 55,   /* on top: the calls until the next timed one are drawn */
    /* On top of either, for what only some functions have: */
    CYCLES_ERRORS = 30,
    CYCLES_ITEMS = 50,
    CYCLES_INTERVAL = 55,
    CYCLES_FINISH = 30,
    CYCLES_LABELS = 80,
    CYCLES_END_LABELS = 40,
};

enum {
    LOOKS = 64,
    CHAIN = 200,
    CHAIN_CYCLES = 3, /* of each link: a multiplication's latency, for many years */
    NAMED_MAX = 3,
    BROKEN_TURNS = 3, /* in a row: then it is said that the budget cannot be kept */
};

static const double idle_seconds = 0.001; /* less CPU time than this in a turn says nothing */
static const double own_share_most = 0.005;
static const double named_least = 0.1;    /* of what the dearest function costs */
static const double memory_of_turn = 0.5; /* what the turn before weighs in overhead_ratio */

struct unit {
    double look; /* seconds */
    double cycle;
};

/* One of the segment's series, from turn to turn. */
struct tracked {
    bool is_known;
    bool is_alias; /* its cell is another's, who answers for it */
    double calls;  /* up to the turn before */
};

/* What one turn reads. */
struct turn {
    struct copies copies;
    struct view view;
    struct view_series *series;
    size_t series_bytes;
    size_t series_count;
    struct cells cells;
};

static struct {
    struct segment_header *segment;
    uint64_t segment_bytes; /* when this process was its only user */
    struct clock clock;
    double share;
    struct unit unit;
    struct tracked *tracked;     /* by series */
    struct interval_load *loads; /* by series */
    uint8_t *is_taken;           /* by the place of a cell: it has a series that answers for it */
    double cost_seconds;         /* of late: each turn weighs half as much as the one after it */
    double cpu_seconds;
    double due;            /* when the next turn is worth its own cost */
    bool is_to_look;       /* the next turn is the first of this process */
    unsigned broken_turns; /* in a row, in which the budget could not be kept */
    char text[512];
} budget;

/* Prices ----------------------------------------------------------------------------------------------------------- */

static double measure_look(void)
{
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < LOOKS; i++) {
        uint64_t before = budget.clock.now();
        uint64_t ticks = budget.clock.now() - before;

        if (ticks < shortest)
            shortest = ticks;
    }
    return (double)shortest * budget.clock.seconds_per_tick;
}

static uint64_t time_chain(void)
{
    uint64_t before = budget.clock.now();
    uint64_t product = before;

    for (int i = 0; i < CHAIN; i++)
        __asm__ volatile("imulq %0, %0" : "+r"(product) : : "cc");
    return budget.clock.now() - before;
}

static double measure_cycle(double look)
{
    uint64_t shortest = UINT64_MAX;
    double seconds;

    for (int i = 0; i < LOOKS; i++) {
        uint64_t ticks = time_chain();

        if (ticks < shortest)
            shortest = ticks;
    }
    seconds = (double)shortest * budget.clock.seconds_per_tick - look;
    return seconds > 0 ? seconds / (CHAIN * CHAIN_CYCLES) : 0;
}

static double price(int looks, int cycles)
{
    return looks * budget.unit.look + cycles * budget.unit.cycle;
}

/* What calls of the series cost beyond those of a plain function; `is_timed` ones have looked at the clock at their
 * start. */
static double more_price(const struct segment_series *series, bool is_timed)
{
    double more = 0;

    if (series->errors_word)
        more += price(0, CYCLES_ERRORS);
    if (series->items_word)
        more += price(0, CYCLES_ITEMS);
    if (series->interval_word)
        more += price(is_timed ? 0 : 1, CYCLES_INTERVAL);
    if (series->last_finish_word)
        more += price(1, CYCLES_FINISH);
    if (series->values)
        more += price(0, CYCLES_LABELS);
    if (series->entry_cells)
        more += price(0, CYCLES_END_LABELS);
    return more;
}

static struct segment_sampling *sampling_of(const struct segment_series *series)
{
    return series->sampling ? (struct segment_sampling *)((char *)budget.segment + series->sampling) : NULL;
}

static double interval_of(const struct segment_sampling *sampling)
{
    return sampling ? (double)__atomic_load_n(&sampling->interval, __ATOMIC_RELAXED) / 4294967296.0 : 1;
}

static void set_prices(struct interval_load *load, const struct segment_series *series)
{
    double counted = price(0, CYCLES_PASSED);
    double judged = price(0, CYCLES_UNTIMED) + more_price(series, false);
    double timed = price(2, CYCLES_TIMED) + more_price(series, true);

    load->timed_cost = series->has_no_duration ? counted + more_price(series, false) : timed;
    load->sampled_cost = timed + price(0, CYCLES_DRAWN);
    load->passed_cost = series->skipped_word ? counted : judged;
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

/* A call that was moved to where its labels belong is taken back from where it started, which the reader may see
 * before it sees the start: CELL_STARTED is signed here. */
static double calls_at(struct cells *cells, const struct segment_series *series, uint64_t offset)
{
    const uint64_t *words = cells_find(cells, offset)->words;

    if (series->has_no_duration)
        return (double)words[CELL_SUCCESS];
    return (double)(int64_t)words[CELL_STARTED] + (series->skipped_word ? (double)words[series->skipped_word] : 0);
}

static double calls_of_places(struct cells *cells, const struct segment_series *series, uint64_t cell,
                              const struct view_values *values)
{
    double sum = 0;

    for (uint32_t i = 0; i < view_place_count(values); i++)
        sum += calls_at(cells, series, cell + view_place(values, i) * segment_cell_bytes(series->cell_words));
    return sum;
}

static double calls_of(struct cells *cells, const struct view_series *series)
{
    const struct segment_series *source = &series->source;
    double sum = calls_of_places(cells, source, source->cell, &series->values);

    if (source->entry_cells)
        sum += calls_of_places(cells, source, source->entry_cell, &series->entry_values);
    return sum;
}

static void get_to_know(struct tracked *tracked, struct interval_load *load, const struct segment_series *series)
{
    uint8_t *is_taken = &budget.is_taken[series->cell / 64];
    const struct segment_sampling *sampling = sampling_of(series);

    tracked->is_known = true;
    tracked->is_alias = *is_taken != 0;
    *is_taken = 1;
    set_prices(load, series);
    if (load->least == 0)
        load->least = interval_of(sampling);
    load->interval = interval_of(sampling);
    load->is_fixed = !sampling || tracked->is_alias || budget.share >= 1;
}

/* The calls of each function in this turn. */
static void read_loads(struct turn *turn)
{
    for (size_t i = 0; i < turn->series_count; i++) {
        const struct segment_series *source = &turn->series[i].source;
        uint32_t index = turn->series[i].index;
        struct tracked *tracked = &budget.tracked[index];
        struct interval_load *load = &budget.loads[index];
        double calls;

        if (!tracked->is_known)
            get_to_know(tracked, load, source);
        if (tracked->is_alias)
            continue;
        calls = calls_of(&turn->cells, &turn->series[i]);
        load->calls = calls > tracked->calls ? calls - tracked->calls : 0;
        tracked->calls = calls;
    }
}

static int turn_begin(struct turn *turn)
{
    int error = view_init(budget.segment, budget.segment_bytes, &turn->copies, &turn->view);

    if (error)
        return error;
    turn->series_bytes = turn->view.series_count * sizeof(struct view_series);
    turn->series = pages_alloc(turn->series_bytes);
    if (!turn->series)
        return -ENOMEM;
    for (uint32_t i = 0; i < turn->view.series_count; i++)
        if (view_read_series(&turn->view, i, &turn->series[turn->series_count]))
            turn->series_count++;
    return cells_read(&turn->view, turn->series, turn->series_count, &turn->cells);
}

static void turn_finish(struct turn *turn)
{
    cells_finish(&turn->cells);
    pages_free(turn->series, turn->series_bytes);
    copies_finish(&turn->copies);
}

/* Turns ------------------------------------------------------------------------------------------------------------ */

static double total_cost(uint32_t series_count)
{
    double sum = 0;

    for (uint32_t i = 0; i < series_count; i++)
        sum += intervals_cost(&budget.loads[i]);
    return sum;
}

static void publish_ratio(double cost, double cpu)
{
    double ratio;
    uint64_t bits;

    budget.cost_seconds = budget.cost_seconds * memory_of_turn + cost;
    budget.cpu_seconds = budget.cpu_seconds * memory_of_turn + cpu;
    ratio = budget.cost_seconds < budget.cpu_seconds ? budget.cost_seconds / budget.cpu_seconds : 1;
    memcpy(&bits, &ratio, sizeof(bits));
    __atomic_store_n(&budget.segment->overhead_ratio, bits, __ATOMIC_RELAXED);
    __atomic_store_n(&budget.segment->is_overhead_known, 1, __ATOMIC_RELEASE);
}

static void publish_intervals(const struct view *view)
{
    for (uint32_t i = 0; i < view->series_count; i++) {
        const struct interval_load *load = &budget.loads[i];
        struct segment_sampling *sampling = sampling_of(&view->series[i]);

        if (budget.tracked[i].is_known && !load->is_fixed && interval_of(sampling) != load->interval)
            sample_interval_set(sampling, load->interval);
    }
}

static double passing_cost(const struct interval_load *load)
{
    return load->calls * load->passed_cost;
}

/* The series whose calls cost most by being counted alone, of those below `limit`; UINT32_MAX: there is none. */
static uint32_t find_dearest(const struct view *view, double limit)
{
    uint32_t dearest = UINT32_MAX;
    double most = 0;

    for (uint32_t i = 0; i < view->series_count; i++) {
        double cost = passing_cost(&budget.loads[i]);

        if (cost > most && cost < limit && view->series[i].function < view->function_count) {
            most = cost;
            dearest = i;
        }
    }
    return dearest;
}

/* The dearest, and those that come near it. */
static void name_dearest(const struct view *view, char *text, size_t text_bytes)
{
    uint32_t dearest = find_dearest(view, HUGE_VAL);
    double least = dearest == UINT32_MAX ? 0 : passing_cost(&budget.loads[dearest]) * named_least;
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < NAMED_MAX && used < text_bytes && dearest != UINT32_MAX; i++) {
        const struct interval_load *load = &budget.loads[dearest];
        const char *name = view_text(view, view->functions[view->series[dearest].function].name);

        if (passing_cost(load) < least)
            return;
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%.64s", i ? ", " : "", name);
        dearest = find_dearest(view, passing_cost(load));
    }
}

static const char *say_not_kept(const struct view *view)
{
    char names[256];

    if (++budget.broken_turns != BROKEN_TURNS)
        return NULL;
    name_dearest(view, names, sizeof(names));
    snprintf(budget.text, sizeof(budget.text),
             "overhead_budget %g cannot be kept: counting the calls takes more than that already, most of it those of "
             "%s; take them out of the manifest, or raise overhead_budget",
             budget.share, names);
    return budget.text;
}

static const char *adapt(const struct view *view, double cpu)
{
    const char *text = NULL;

    if (cpu < idle_seconds)
        intervals_relax(budget.loads, view->series_count);
    else if (!intervals_choose(budget.loads, view->series_count, cpu, budget.share))
        text = say_not_kept(view);
    else if (budget.broken_turns < BROKEN_TURNS)
        budget.broken_turns = 0;
    publish_intervals(view);
    return text;
}

static void look(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->view.series_count; i++)
        budget.loads[i].interval = interval_of(sampling_of(&turn->view.series[i]));
    read_loads(turn);
    cpu_time_spent(turn->view.block_count);
    budget.is_to_look = false;
}

static const char *take_turn(void)
{
    struct turn turn = {0};
    const char *text = NULL;

    if (turn_begin(&turn) != 0) {
        turn_finish(&turn);
        return NULL;
    }
    if (budget.is_to_look) {
        look(&turn);
    } else {
        double cpu = cpu_time_spent(turn.view.block_count);

        read_loads(&turn);
        if (cpu >= idle_seconds)
            publish_ratio(total_cost(turn.view.series_count), cpu);
        if (budget.share < 1)
            text = adapt(&turn.view, cpu);
    }
    turn_finish(&turn);
    return text;
}

const char *budget_turn(void)
{
    double start = cpu_time_on(CLOCK_THREAD_CPUTIME_ID);
    double now = cpu_time_on(CLOCK_MONOTONIC);
    const char *text;

    if (now < budget.due)
        return NULL;
    if (budget.unit.look <= 0) {
        budget.unit.look = measure_look();
        budget.unit.cycle = measure_cycle(budget.unit.look);
    }
    text = take_turn();
    budget.due = now + (cpu_time_on(CLOCK_THREAD_CPUTIME_ID) - start) / own_share_most;
    return text;
}

void budget_begin_again(void)
{
    budget.is_to_look = true;
    budget.due = 0;
    budget.broken_turns = 0;
    budget.cost_seconds = 0;
    budget.cpu_seconds = 0;
    cpu_time_begin_again();
}

/* What the manifest says, before any turn changes it. */
static void note_intervals(void)
{
    const struct segment_series *series = (const void *)((const char *)budget.segment + budget.segment->series);

    for (uint32_t i = 0; i < budget.segment->series_count; i++)
        budget.loads[i].least = interval_of(sampling_of(&series[i]));
}

int budget_init(struct segment_header *segment, double share, const struct clock *clock)
{
    budget.segment = segment;
    budget.segment_bytes = segment->segment_bytes;
    budget.share = share;
    budget.clock = *clock;
    budget.tracked = pages_alloc(segment->series_capacity * sizeof(*budget.tracked));
    budget.loads = pages_alloc(segment->series_capacity * sizeof(*budget.loads));
    budget.is_taken = pages_alloc(segment->block_bytes / 64);
    if (!budget.tracked || !budget.loads || !budget.is_taken)
        return -ENOMEM;
    note_intervals();
    return cpu_time_init(segment);
}
