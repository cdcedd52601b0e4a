/* The text exposition, against expected texts. Argument: the folder tests/unit/expositions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/common/buffer.h"
#include "server/common/process.h"
#include "server/formats/text.h"
#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

static const char *expositions;
static const struct text_scrapes no_scrapes[] = {{200, 0}};
static const struct text_endpoint plain_endpoint = {
    .version = "1.2.3", .revision = "abc", .scrapes = no_scrapes, .scrapes_count = 1};

static const struct snapshot_clock half_past = {.ticks = UINT64_C(8500000000), .unix_seconds = 1.7e9};

/* The exposition as text; the caller frees it. */
static char *render(struct segment_builder *builder, const struct text_endpoint *endpoint)
{
    struct buffer buffer = {0};
    struct snapshot snapshot;
    char *text;

    assert_int_equal(snapshot_take(builder->segment, builder->segment->segment_bytes, &half_past, &snapshot), 0);
    text_render(&snapshot, endpoint, &buffer);
    assert_int_equal(buffer.error, 0);
    text = strndup(buffer.data, buffer.used_bytes);
    assert_non_null(text);
    assert_int_equal(strlen(text), buffer.used_bytes);
    buffer_finish(&buffer);
    snapshot_finish(&snapshot);
    return text;
}

static void assert_renders(struct segment_builder *builder, const struct text_endpoint *endpoint, const char *expected)
{
    char *text = render(builder, endpoint);

    assert_string_equal(text, expected);
    free(text);
}

#define FUNCTIONS_HEADER                                                                                               \
    "# HELP callmeter_manifest_functions Functions of the manifest by what became of them.\n"                          \
    "# TYPE callmeter_manifest_functions gauge\n"
#define INFO_HEADER                                                                                                    \
    "# HELP callmeter_function_info What became of a function of the manifest, and why; always 1.\n"                   \
    "# TYPE callmeter_function_info gauge\n"
#define STATE_ERRORS(labels)                                                                                           \
    "# HELP callmeter_state_errors_total State files that could not be used, by reason.\n"                             \
    "# TYPE callmeter_state_errors_total counter\n"                                                                    \
    "callmeter_state_errors_total{reason=\"damaged\"" labels "} 0\n"                                                   \
    "callmeter_state_errors_total{reason=\"version\"" labels "} 0\n"                                                   \
    "callmeter_state_errors_total{reason=\"manifest\"" labels "} 0\n"                                                  \
    "callmeter_state_errors_total{reason=\"unsafe\"" labels "} 0\n"                                                    \
    "callmeter_state_errors_total{reason=\"busy\"" labels "} 0\n"                                                      \
    "callmeter_state_errors_total{reason=\"io\"" labels "} 0\n"
#define ENDPOINT                                                                                                       \
    STATE_ERRORS("")                                                                                                   \
    "# HELP callmeter_build_info Version and revision of callmeter; always 1.\n"                                       \
    "# TYPE callmeter_build_info gauge\n"                                                                              \
    "callmeter_build_info{version=\"1.2.3\",revision=\"abc\"} 1\n"                                                     \
    "# HELP callmeter_scrapes_total Answers to scrapes by HTTP status.\n"                                              \
    "# TYPE callmeter_scrapes_total counter\n"                                                                         \
    "callmeter_scrapes_total{code=\"200\"} 0\n"                                                                        \
    "# HELP callmeter_scrape_duration_seconds How long the last finished scrape took.\n"                               \
    "# TYPE callmeter_scrape_duration_seconds gauge\n"                                                                 \
    "callmeter_scrape_duration_seconds 0\n"
#define CALLS_HEADER                                                                                                   \
    "# HELP callmeter_calls_total Finished calls by outcome.\n"                                                        \
    "# TYPE callmeter_calls_total counter\n"
#define DURATION_HEADER                                                                                                \
    "# HELP callmeter_call_duration_seconds Wall time of calls that returned or threw.\n"                              \
    "# TYPE callmeter_call_duration_seconds histogram\n"
#define ABANDONED_HEADER                                                                                               \
    "# HELP callmeter_calls_abandoned_total Calls that neither returned nor threw, by what ended them.\n"              \
    "# TYPE callmeter_calls_abandoned_total counter\n"
#define ABANDONED(labels, longjmp, exec)                                                                               \
    "callmeter_calls_abandoned_total{" labels ",reason=\"longjmp\"} " longjmp "\n"                                     \
    "callmeter_calls_abandoned_total{" labels ",reason=\"thread_exit\"} 0\n"                                           \
    "callmeter_calls_abandoned_total{" labels ",reason=\"exec\"} " exec "\n"                                           \
    "callmeter_calls_abandoned_total{" labels ",reason=\"process_exit\"} 0\n"                                          \
    "callmeter_calls_abandoned_total{" labels ",reason=\"process_death\"} 0\n"
#define SAMPLE_HEADER                                                                                                  \
    "# HELP callmeter_sample_interval_calls Calls per timed call, now; 1 if all are timed.\n"                          \
    "# TYPE callmeter_sample_interval_calls gauge\n"
#define ACTIVE_HEADER                                                                                                  \
    "# HELP callmeter_calls_active Calls in progress.\n"                                                               \
    "# TYPE callmeter_calls_active gauge\n"

static void an_empty_segment_shows_what_is_not_about_functions(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    assert_renders(&builder, &plain_endpoint,
                   FUNCTIONS_HEADER "callmeter_manifest_functions{state=\"full\"} 0\n"
                                    "callmeter_manifest_functions{state=\"count\"} 0\n"
                                    "callmeter_manifest_functions{state=\"refused\"} 0\n"
                                    "callmeter_manifest_functions{state=\"missing\"} 0\n"
                                    "callmeter_manifest_functions{state=\"pending\"} 0\n" ENDPOINT);
    segment_builder_finish(&builder);
}

static void a_function_shows_calls_durations_and_progress(void **state)
{
    static const double bounds[] = {0.000001, 0.00025, 0.5, 1, 10};
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 6};
    struct segment_builder builder;
    uint64_t *cell;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "recv", "libc.so.6");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.kind = "dependency",
                                                                          .labels = "dependency\0client\0team\0db\0",
                                                                          .bounds = bounds,
                                                                          .bucket_count = 5});
    cell = segment_builder_cell(&builder, 0, 0);
    memcpy(cell + CELL_BUCKETS, counts, sizeof(counts));
    cell[CELL_STARTED] = 26;
    cell[CELL_SUCCESS] = 11;
    cell[CELL_ERROR] = 4;
    cell[CELL_THROTTLED] = 6;
    cell[CELL_PANIC] = 1;
    cell[CELL_ABANDONED + ABANDONED_LONGJMP] = 1;
    cell[CELL_ABANDONED + ABANDONED_EXEC] = 1;
    cell[CELL_SUM_TICKS] = UINT64_C(1250000000);
#define L "function=\"recv\",module=\"libc.so.6\",kind=\"dependency\",dependency=\"client\",team=\"db\""
    assert_renders(&builder, &plain_endpoint,
                   CALLS_HEADER "callmeter_calls_total{" L ",outcome=\"success\"} 11\n"
                                "callmeter_calls_total{" L ",outcome=\"error\"} 4\n"
                                "callmeter_calls_total{" L ",outcome=\"throttled\"} 6\n"
                                "callmeter_calls_total{" L ",outcome=\"panic\"} 1\n"
                                "callmeter_calls_total{" L
                                ",outcome=\"abandoned\"} 2\n" ABANDONED_HEADER ABANDONED(L, "1", "1") DURATION_HEADER
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"1e-06\"} 1\n"
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"0.00025\"} 3\n"
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"0.5\"} 6\n"
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"1.0\"} 10\n"
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"10.0\"} 15\n"
                   "callmeter_call_duration_seconds_bucket{" L ",le=\"+Inf\"} 21\n"
                   "callmeter_call_duration_seconds_sum{" L "} 1.25\n"
                   "callmeter_call_duration_seconds_count{" L "} 21\n" ACTIVE_HEADER "callmeter_calls_active{" L
                   "} 2\n" SAMPLE_HEADER "callmeter_sample_interval_calls{" L "} 1\n" FUNCTIONS_HEADER
                   "callmeter_manifest_functions{state=\"full\"} 1\n"
                   "callmeter_manifest_functions{state=\"count\"} 0\n"
                   "callmeter_manifest_functions{state=\"refused\"} 0\n"
                   "callmeter_manifest_functions{state=\"missing\"} 0\n"
                   "callmeter_manifest_functions{state=\"pending\"} 0\n" INFO_HEADER
                   "callmeter_function_info{function=\"recv\",module=\"libc.so.6\",symbol=\"recv\","
                   "mode=\"full\",reason=\"\"} 1\n" ENDPOINT);
#undef L
    segment_builder_finish(&builder);
}

/* A counted function, one with an empty list of buckets, and a constant label: families stay in one piece. */
static void families_stay_in_one_piece(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.constant_labels = "team\0db\0"});
    segment_builder_add_function(&builder, "a", "prog");
    segment_builder_add_function(&builder, "b", "prog");
    segment_builder_add_series(&builder,
                               &(struct segment_builder_series){.labels = "team\0db\0", .has_no_duration = 1});
    segment_builder_add_series(&builder, &(struct segment_builder_series){.function = 1, .labels = "team\0db\0"});
    segment_builder_function(&builder, 0)->state = SEGMENT_COUNT;
    segment_builder_function(&builder, 0)->reason = segment_builder_add_text(&builder, "setjmp", 0);
    segment_builder_cell(&builder, 0, 1)[CELL_BUCKETS] = 3;
#define A "function=\"a\",module=\"prog\",kind=\"function\",team=\"db\""
#define B "function=\"b\",module=\"prog\",kind=\"function\",team=\"db\""
    assert_renders(
        &builder, &plain_endpoint,
        CALLS_HEADER
        "callmeter_calls_total{" A ",outcome=\"success\"} 0\ncallmeter_calls_total{" A ",outcome=\"error\"} 0\n"
        "callmeter_calls_total{" A ",outcome=\"throttled\"} 0\ncallmeter_calls_total{" A ",outcome=\"panic\"} 0\n"
        "callmeter_calls_total{" A ",outcome=\"abandoned\"} 0\n"
        "callmeter_calls_total{" B ",outcome=\"success\"} 0\ncallmeter_calls_total{" B ",outcome=\"error\"} 0\n"
        "callmeter_calls_total{" B ",outcome=\"throttled\"} 0\ncallmeter_calls_total{" B ",outcome=\"panic\"} 0\n"
        "callmeter_calls_total{" B ",outcome=\"abandoned\"} 0\n" ABANDONED_HEADER ABANDONED(A, "0", "0")
            ABANDONED(B, "0", "0") DURATION_HEADER
        "callmeter_call_duration_seconds_bucket{" B ",le=\"+Inf\"} 3\n"
        "callmeter_call_duration_seconds_sum{" B "} 0\n"
        "callmeter_call_duration_seconds_count{" B "} 3\n" ACTIVE_HEADER "callmeter_calls_active{" B
        "} 0\n" SAMPLE_HEADER "callmeter_sample_interval_calls{" B "} 1\n" FUNCTIONS_HEADER
        "callmeter_manifest_functions{state=\"full\",team=\"db\"} 1\n"
        "callmeter_manifest_functions{state=\"count\",team=\"db\"} 1\n"
        "callmeter_manifest_functions{state=\"refused\",team=\"db\"} 0\n"
        "callmeter_manifest_functions{state=\"missing\",team=\"db\"} 0\n"
        "callmeter_manifest_functions{state=\"pending\",team=\"db\"} 0\n" INFO_HEADER
        "callmeter_function_info{function=\"a\",module=\"prog\",symbol=\"a\",mode=\"count\",reason=\"setjmp\",team="
        "\"db\"} 1\n"
        "callmeter_function_info{function=\"b\",module=\"prog\",symbol=\"b\",mode=\"full\",reason=\"\",team=\"db\"} "
        "1\n" STATE_ERRORS(
            ",team=\"db\"") "# HELP callmeter_build_info Version and revision of callmeter; always 1.\n"
                            "# TYPE callmeter_build_info gauge\n"
                            "callmeter_build_info{version=\"1.2.3\",revision=\"abc\",team=\"db\"} 1\n"
                            "# HELP callmeter_scrapes_total Answers to scrapes by HTTP status.\n"
                            "# TYPE callmeter_scrapes_total counter\n"
                            "callmeter_scrapes_total{code=\"200\",team=\"db\"} 0\n"
                            "# HELP callmeter_scrape_duration_seconds How long the last finished scrape took.\n"
                            "# TYPE callmeter_scrape_duration_seconds gauge\n"
                            "callmeter_scrape_duration_seconds{team=\"db\"} 0\n");
#undef A
#undef B
    segment_builder_finish(&builder);
}

/* A worker with two tables of values, one of which overflows, errors by errno, and resources. */
static void build_rich(struct segment_builder *builder)
{
    static const double bounds[] = {0.5};
    static const struct segment_builder_label queue[] = {{"queue", SEGMENT_VALUE_STRING, NULL}};
    const struct segment_series *series;
    uint64_t values;
    uint64_t *cell;

    segment_builder_init(builder, &(struct segment_builder_options){.namespace_ = "x",
                                                                    .block_bytes = 16384,
                                                                    .resources = 2,
                                                                    .signals = (const int[]){SIGSEGV, SIGABRT, 0}});
    segment_builder_add_function(builder, "run", "prog");
    segment_builder_function(builder, 0)->has_recover = 1;
    segment_builder_panics(builder, 0)[1] = 2;
    segment_builder_panics(builder, builder->segment->function_capacity)[0] = 3;
    *segment_builder_recovered(builder, 0) = 1;
    builder->segment->fatal_signals[0] = 3;
    builder->segment->fatal_signals[1] = 2;
    builder->segment->state_errors[STATE_ERROR_UNSAFE] = 4;
    values = segment_builder_add_values(builder, queue, 1, 1);
    segment_builder_add_tuple(builder, values, &(struct segment_builder_value){.text = "a\"\n\\"});
    segment_builder_add_series(builder, &(struct segment_builder_series){.kind = "worker",
                                                                         .bounds = bounds,
                                                                         .bucket_count = 1,
                                                                         .has_items = true,
                                                                         .has_interval = true,
                                                                         .has_last_start = true,
                                                                         .has_last_success = true,
                                                                         .is_health_check = true,
                                                                         .has_errors = true,
                                                                         .sample_interval = 2.5,
                                                                         .values = values});
    series = segment_builder_series(builder, 0);
    for (uint32_t place = 0; place < 2; place++) {
        cell = segment_builder_place(builder, 0, 0, place);
        cell[CELL_STARTED] = 5;
        cell[CELL_SUCCESS] = 3;
        cell[CELL_ERROR] = 1;
        cell[CELL_BUCKETS] = 4;
        cell[CELL_SUM_TICKS] = 1500000000;
    }
    cell = segment_builder_place(builder, 0, 0, 0);
    cell[series->items_word] = 1000;
    cell[series->interval_word] = 2000000000;
    cell[series->interval_word + 2] = 2;
    cell[series->errors_word + ENOENT] = 1;
    cell[series->last_start_word] = 7000000000;
    cell[series->last_success_word] = 6000000000;
    cell[series->last_finish_word] = 6500000000 * 2 + 1;
    segment_builder_resource(builder, 0)->name = segment_builder_add_text(builder, "slots", 0);
    segment_builder_resource(builder, 0)->in_use =
        (struct segment_gauge){.value = 3, .type = SEGMENT_VALUE_UINT64, .is_known = 1};
    segment_builder_resource(builder, 0)->limit =
        (struct segment_gauge){.value = 8, .type = SEGMENT_VALUE_UINT64, .is_known = 1};
    segment_builder_resource(builder, 1)->name = segment_builder_add_text(builder, "memory", 0);
    builder->segment->is_overhead_known = 1;
    builder->segment->overhead_ratio = UINT64_C(0x3F947AE147AE147B); /* 0.02 */
    builder->segment->processes = 3;
}

/* The text in a file of tests/unit/expositions; the caller frees it. */
static char *read_expected(const char *name)
{
    char path[4096];
    char *text = NULL;
    size_t size = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", expositions, name);
    file = fopen(path, "r");
    if (!file)
        fail_msg("cannot read %s", path);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    fclose(file);
    return text;
}

static void each_family_has_its_text(void **state)
{
    struct segment_builder builder;
    char *expected = read_expected("each_family.txt");

    (void)state;
    build_rich(&builder);
    assert_renders(&builder, &plain_endpoint, expected);
    free(expected);
    segment_builder_finish(&builder);
}

static void assert_shows(struct segment_builder *builder, const char *line)
{
    char *text = render(builder, &plain_endpoint);
    const char *found = strstr(text, line);

    if (!found || (found != text && found[-1] != '\n'))
        fail_msg("no line \"%s\" in\n%s", line, text);
    free(text);
}

/* Calls that are not over, of labels that are known at the end only. */
static void calls_in_progress_show_alone(void **state)
{
    static const struct segment_builder_label status[] = {{"status", SEGMENT_VALUE_INT64, NULL}};
    struct segment_builder builder;
    uint64_t values;
    char *text;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "f", "prog");
    values = segment_builder_add_values(&builder, status, 1, 2);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values, .has_entry = true});
    segment_builder_entry(&builder, 0, 0, 0)[CELL_STARTED] = 2;
    assert_shows(&builder, "callmeter_calls_active{function=\"f\",module=\"prog\",kind=\"function\"} 2\n");
    text = render(&builder, &plain_endpoint);
    assert_null(strstr(text, "calls_total"));
    assert_null(strstr(text, "calls_abandoned_total"));
    assert_null(strstr(text, "call_duration_seconds"));
    free(text);
    segment_builder_finish(&builder);
}

static void values_are_escaped(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "a\\b\n\"c\"\xC3\xA9", "");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.labels = "q\0\\\0r\0\n\0s\0\"\0"});
    assert_shows(&builder, "callmeter_calls_total{function=\"a\\\\b\\n\\\"c\\\"\xC3\xA9\",module=\"\","
                           "kind=\"function\",q=\"\\\\\",r=\"\\n\",s=\"\\\"\",outcome=\"success\"} 0\n");
    segment_builder_finish(&builder);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder,
                                 "a\xFF"
                                 "b\xC3",
                                 "\xED\xA0\x80");
    assert_shows(&builder, "callmeter_function_info{function=\"a\xEF\xBF\xBD"
                           "b\xEF\xBF\xBD\","
                           "module=\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\",");
    segment_builder_finish(&builder);
}

/* A label that comes twice would cost the whole scrape. */
static void labels_come_once(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.constant_labels = "code\0x\0version\0y\0"});
    segment_builder_add_function(&builder, "f", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.labels = "kind\0x\0le\0y\0outcome\0z\0"});
    assert_shows(&builder,
                 "callmeter_calls_total{function=\"f\",module=\"prog\",kind=\"function\",outcome=\"success\"} 0\n");
    assert_shows(&builder, "callmeter_build_info{version=\"1.2.3\",revision=\"abc\",code=\"x\"} 1\n");
    assert_shows(&builder, "callmeter_scrapes_total{code=\"200\",version=\"y\"} 0\n");
    segment_builder_finish(&builder);
}

static void numbers_are_written_whole(void **state)
{
    struct segment_builder builder;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){.namespace_ = "x"});
    segment_builder_add_function(&builder, "f", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){0});
    segment_builder_cell(&builder, 0, 0)[CELL_SUCCESS] = UINT64_MAX;
    segment_builder_cell(&builder, 0, 0)[CELL_SUM_TICKS] = 1;
    segment_builder_cell(&builder, 0, 0)[CELL_BUCKETS] = 1;
    assert_shows(&builder, "x_calls_total{function=\"f\",module=\"prog\",kind=\"function\",outcome=\"success\"} "
                           "18446744073709551615\n");
    assert_shows(&builder, "x_call_duration_seconds_sum{function=\"f\",module=\"prog\",kind=\"function\"} 1e-09\n");
    builder.segment->seconds_per_tick = -NAN;
    assert_shows(&builder, "x_call_duration_seconds_sum{function=\"f\",module=\"prog\",kind=\"function\"} NaN\n");
    builder.segment->seconds_per_tick = INFINITY;
    assert_shows(&builder, "x_call_duration_seconds_sum{function=\"f\",module=\"prog\",kind=\"function\"} +Inf\n");
    segment_builder_finish(&builder);
}

static void the_process_shows_under_the_standard_names(void **state)
{
    struct process_stats stats = {0};
    struct text_endpoint endpoint = plain_endpoint;
    struct segment_builder builder;
    char *text;

    (void)state;
    process_read(&stats);
    for (int i = 0; i < PROCESS_METRICS; i++)
        assert_true(stats.metrics[i].is_known);
    assert_true(stats.metrics[PROCESS_START_TIME].value <= (double)time(NULL) + 1);
    assert_true(stats.metrics[PROCESS_START_TIME].value > (double)time(NULL) - 1000);
    assert_true(stats.metrics[PROCESS_RESIDENT_BYTES].value > 100000);
    assert_true(stats.metrics[PROCESS_OPEN_FDS].value >= 1 && stats.metrics[PROCESS_OPEN_FDS].value < 1000);
    assert_true(stats.metrics[PROCESS_THREADS].value >= 1 && stats.metrics[PROCESS_THREADS].value < 10);
    memset(&stats, 0, sizeof(stats));
    stats.metrics[PROCESS_CPU_SECONDS].is_known = true;
    stats.metrics[PROCESS_CPU_SECONDS].value = 0.25;
    stats.metrics[PROCESS_RESIDENT_BYTES].is_known = true;
    stats.metrics[PROCESS_RESIDENT_BYTES].value = 12345678;
    endpoint.process = &stats;
    segment_builder_init(&builder, &(struct segment_builder_options){.constant_labels = "team\0db\0"});
    text = render(&builder, &endpoint);
    assert_non_null(strstr(text, "\n# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n"
                                 "# TYPE process_cpu_seconds_total counter\n"
                                 "process_cpu_seconds_total 0.25\n"
                                 "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
                                 "# TYPE process_resident_memory_bytes gauge\n"
                                 "process_resident_memory_bytes 12345678\n"));
    assert_null(strstr(text, "process_open_fds"));
    free(text);
    segment_builder_finish(&builder);
}

/* A field of a file of one line, counted from 1. */
static double proc_field(const char *name, int field)
{
    char text[1024] = "";
    FILE *file = fopen(name, "r");
    char *cursor = text;

    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    for (int i = 1; i < field; i++)
        cursor = strchr(cursor, ' ') + 1;
    return strtod(cursor, NULL);
}

/* Each number by another way to it: the sizes from statm, the start from the time that the system is up. */
static void the_process_is_measured_in_its_units(void **state)
{
    const double page = (double)sysconf(_SC_PAGESIZE);
    struct rlimit files = {.rlim_cur = 123, .rlim_max = 456};
    struct rlimit memory;
    struct process_stats stats = {0};
    double resident;
    double up;
    double now;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &memory), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    process_read(&stats);
    resident = proc_field("/proc/self/statm", 2) * page;
    up = proc_field("/proc/uptime", 1);
    now = (double)time(NULL);
    assert_true(stats.metrics[PROCESS_MAX_FDS].value >= 123 && stats.metrics[PROCESS_MAX_FDS].value <= 123);
    if (memory.rlim_cur == RLIM_INFINITY)
        assert_true(stats.metrics[PROCESS_VIRTUAL_MAX_BYTES].value > 0x1.8p63);
    assert_true(stats.metrics[PROCESS_RESIDENT_BYTES].value > resident / 2);
    assert_true(stats.metrics[PROCESS_RESIDENT_BYTES].value < resident * 2);
    assert_true(fabs(stats.metrics[PROCESS_VIRTUAL_BYTES].value - proc_field("/proc/self/statm", 1) * page) < 4e6);
    assert_true(fabs(stats.metrics[PROCESS_START_TIME].value -
                     (now - up + proc_field("/proc/self/stat", 22) / (double)sysconf(_SC_CLK_TCK))) < 3);
    assert_true(stats.metrics[PROCESS_CPU_SECONDS].value <= (double)clock() / CLOCKS_PER_SEC + 0.001);
    assert_true(stats.metrics[PROCESS_CPU_SECONDS].value > 0);
}

/* A scrape a second for months: what one leaves behind is found in the size of the process. */
static void nothing_is_left_behind(void **state)
{
    enum {
        SCRAPES = 200
    };
    double before = 0;

    (void)state;
    for (int i = 0; i < SCRAPES; i++) {
        struct segment_builder builder;

        build_rich(&builder);
        free(render(&builder, &plain_endpoint));
        segment_builder_finish(&builder);
        if (i == SCRAPES / 10) /* what libc keeps is there */
            before = proc_field("/proc/self/statm", 1);
    }
    assert_true(proc_field("/proc/self/statm", 1) - before < SCRAPES / 2);
}

/* More bounds than texts of bounds are kept. */
static void each_bucket_has_its_bound(void **state)
{
    enum {
        BOUNDS = 400
    };
    double bounds[BOUNDS];
    struct segment_builder builder;
    const char *cursor;
    char *text;

    (void)state;
    for (int i = 0; i < BOUNDS; i++)
        bounds[i] = (i + 1) / 8.0;
    segment_builder_init(&builder, &(struct segment_builder_options){.block_bytes = 16384});
    segment_builder_add_function(&builder, "f", "prog");
    segment_builder_add_series(&builder, &(struct segment_builder_series){.bounds = bounds, .bucket_count = BOUNDS});
    for (int i = 0; i <= BOUNDS; i++)
        segment_builder_cell(&builder, 0, 0)[CELL_BUCKETS + i] = 1;
    text = render(&builder, &plain_endpoint);
    cursor = text;
    for (int i = 0; i < BOUNDS; i++) {
        double bound;
        long count;

        cursor = strstr(cursor, ",le=\"");
        assert_non_null(cursor);
        assert_int_equal(sscanf(cursor, ",le=\"%lf\"} %ld", &bound, &count), 2);
        assert_int_equal((int)(bound * 8), i + 1);
        assert_int_equal(count, i + 1);
        cursor++;
    }
    assert_non_null(strstr(cursor, ",le=\"+Inf\"} 401\n"));
    free(text);
    segment_builder_finish(&builder);
}

/* Each has its own labels, also where the table of them fills its pages. */
static void many_series_have_their_labels(void **state)
{
    enum {
        SERIES = 512
    };
    struct segment_builder builder;
    char line[128];

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){
                                       .functions = SERIES, .series = SERIES, .block_bytes = SERIES * 128 + 4096});
    for (uint32_t i = 0; i < SERIES; i++) {
        snprintf(line, sizeof(line), "f%u", i);
        segment_builder_add_function(&builder, line, "prog");
        segment_builder_add_series(&builder, &(struct segment_builder_series){.function = i});
        segment_builder_cell(&builder, 0, i)[CELL_STARTED] = i;
    }
    for (uint32_t i = 0; i < SERIES; i += SERIES - 1) {
        snprintf(line, sizeof(line), "callmeter_calls_active{function=\"f%u\",module=\"prog\",kind=\"function\"} %u\n",
                 i, i);
        assert_shows(&builder, line);
    }
    segment_builder_finish(&builder);
}

static void a_full_buffer_is_an_error(void **state)
{
    struct segment_builder builder;
    struct buffer buffer = {.limit_bytes = 100};
    struct snapshot snapshot;

    (void)state;
    segment_builder_init(&builder, &(struct segment_builder_options){0});
    assert_int_equal(snapshot_take(builder.segment, builder.segment->segment_bytes, NULL, &snapshot), 0);
    text_render(&snapshot, &plain_endpoint, &buffer);
    assert_int_equal(buffer.error, -EFBIG);
    assert_true(buffer.used_bytes <= 100);
    buffer_finish(&buffer);
    snapshot_finish(&snapshot);
    segment_builder_finish(&builder);
}

/* Prometheus's own opinion. */
static void assert_promtool_agrees(struct segment_builder *builder, const struct text_endpoint *endpoint)
{
    char *text = render(builder, endpoint);
    FILE *promtool = popen("promtool check metrics >&2", "w");

    assert_non_null(promtool);
    fputs(text, promtool);
    assert_int_equal(pclose(promtool), 0);
    free(text);
}

static void promtool_finds_no_fault(void **state)
{
    static const double bounds[] = {0.000001, 0.1, 1};
    struct process_stats stats = {0};
    struct text_endpoint endpoint = plain_endpoint;
    struct segment_builder builder;

    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    process_read(&stats);
    endpoint.process = &stats;
    segment_builder_init(&builder, &(struct segment_builder_options){.constant_labels = "team\0db\0"});
    for (uint32_t i = 0; i < 3; i++) {
        segment_builder_add_function(&builder, i == 0 ? "a" : i == 1 ? "ns::b(int, char const*)" : "c\\\"\n", "prog");
        segment_builder_add_series(&builder,
                                   &(struct segment_builder_series){
                                       .function = i, .bounds = bounds, .bucket_count = i, .has_no_duration = i == 2});
    }
    assert_promtool_agrees(&builder, &endpoint);
    segment_builder_finish(&builder);
    build_rich(&builder);
    assert_promtool_agrees(&builder, &endpoint);
    segment_builder_finish(&builder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_segment_shows_what_is_not_about_functions),
        cmocka_unit_test(a_function_shows_calls_durations_and_progress),
        cmocka_unit_test(families_stay_in_one_piece),
        cmocka_unit_test(each_family_has_its_text),
        cmocka_unit_test(calls_in_progress_show_alone),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(labels_come_once),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(the_process_shows_under_the_standard_names),
        cmocka_unit_test(the_process_is_measured_in_its_units),
        cmocka_unit_test(nothing_is_left_behind),
        cmocka_unit_test(each_bucket_has_its_bound),
        cmocka_unit_test(many_series_have_their_labels),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(promtool_finds_no_fault),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s EXPOSITIONS\n", argv[0]);
        return 2;
    }
    expositions = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
