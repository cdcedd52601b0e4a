/* symbols/manifest/manifest.h: the corpus of documents, and what single ones come to. Argument: the corpus's folder. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "corpus.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

static const char *corpus_folder;

/* Fails the n-th allocation from now on; -1: none. Covers jansson's too. */
static long allocations_left = -1;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
char *__real_strdup(const char *text);
void *__real_reallocarray(void *memory, size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
char *__wrap_strdup(const char *text);
void *__wrap_reallocarray(void *memory, size_t count, size_t bytes);

static bool allocation_fails(void)
{
    if (allocations_left < 0)
        return false;
    if (allocations_left > 0)
        allocations_left--;
    return allocations_left == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return allocation_fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return allocation_fails() ? NULL : __real_calloc(count, bytes);
}

char *__wrap_strdup(const char *text)
{
    return allocation_fails() ? NULL : __real_strdup(text);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t bytes)
{
    return allocation_fails() ? NULL : __real_reallocarray(memory, count, bytes);
}

static struct manifest *parse(const char *text)
{
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    if (manifest_parse(text, strlen(text), "test.json", &manifest, &diag))
        fail_msg("%s", diag.text);
    return manifest;
}

static void assert_refused(const char *text, const char *expected)
{
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    assert_int_equal(manifest_parse(text, strlen(text), "test.json", &manifest, &diag), -EINVAL);
    assert_null(manifest);
    assert_string_equal(diag.text, expected);
}

static void good_documents_are_accepted(void **state)
{
    struct corpus corpus;
    size_t failures = 0;

    (void)state;
    corpus_read(&corpus, corpus_folder, "good", ".json");
    for (size_t i = 0; i < corpus.count; i++) {
        const struct corpus_file *file = &corpus.files[i];
        struct manifest *manifest = NULL;
        struct diag diag = {""};

        if (manifest_parse(file->text, file->length, file->name, &manifest, &diag)) {
            print_error("%s\n", diag.text);
            failures++;
        }
        manifest_destroy(manifest);
    }
    corpus_finish(&corpus);
    assert_int_equal(failures, 0);
}

/* True if `text` is `name`, a colon, and what the file of expectations says in its one line. */
static bool is_expected(const char *text, const char *name, const struct corpus_file *expected)
{
    const size_t length = strlen(name);

    return strncmp(text, name, length) == 0 && text[length] == ':' && expected->length > 0 &&
           strlen(text + length + 1) == expected->length - 1 &&
           memcmp(text + length + 1, expected->text, expected->length - 1) == 0;
}

static bool is_refused_as_expected(const struct corpus_file *file, const struct corpus *expectations)
{
    char name[300];
    struct manifest *manifest = NULL;
    struct diag diag = {""};
    const struct corpus_file *expected;
    int result;

    (void)snprintf(name, sizeof name, "%.*s.expected", (int)(strlen(file->name) - strlen(".json")), file->name);
    expected = corpus_find(expectations, name);
    result = manifest_parse(file->text, file->length, file->name, &manifest, &diag);
    if (result == -EINVAL && !manifest && expected && is_expected(diag.text, file->name, expected))
        return true;
    print_error("%s: result %d\n     got: %s\nexpected: %s:%s\n", file->name, result, diag.text, file->name,
                expected ? expected->text : " (no file of expectations)\n");
    manifest_destroy(manifest);
    return false;
}

static void bad_documents_are_refused_with_the_expected_message(void **state)
{
    struct corpus corpus;
    struct corpus expectations;
    size_t failures = 0;

    (void)state;
    corpus_read(&corpus, corpus_folder, "bad", ".json");
    corpus_read(&expectations, corpus_folder, "bad", ".expected");
    for (size_t i = 0; i < corpus.count; i++)
        failures += !is_refused_as_expected(&corpus.files[i], &expectations);
    assert_int_equal(corpus.count, expectations.count);
    corpus_finish(&expectations);
    corpus_finish(&corpus);
    assert_int_equal(failures, 0);
}

static void check_default_panics(const struct manifest_panics *panics)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

    assert_int_equal(panics->signal_count, sizeof signals / sizeof *signals);
    assert_memory_equal(panics->signals, signals, sizeof signals);
    assert_int_equal(panics->backtrace_depth, 64);
    assert_int_equal(panics->linger_seconds, 0);
    assert_null(panics->report_dir);
    assert_int_equal(panics->max_reports, 20);
    assert_int_equal(panics->max_recoveries, 5);
}

static void defaults_are_the_contracts(void **state)
{
    static const double buckets[] = {1e-06, 1e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                     0.025, 0.05,  0.1,    0.25,    0.5,    1,     2.5,    5,     10};
    struct manifest *manifest = parse("{\"version\": 1,\n\"functions\": [\n{\"symbol\": \"f\"}]}");
    const struct manifest_function *function = manifest->functions;

    (void)state;
    assert_string_equal(manifest->namespace_, "callmeter");
    assert_string_equal(manifest->listen, "127.0.0.1:9464");
    assert_int_equal(manifest->label_count, 0);
    assert_int_equal(manifest->executable_count, 0);
    assert_false(manifest->follow_exec);
    assert_int_equal(manifest->function_count, 1);
    assert_string_equal(function->symbol, "f");
    assert_false(function->is_glob);
    assert_null(function->object);
    assert_null(function->name);
    assert_int_equal(function->kind, MANIFEST_KIND_FUNCTION);
    assert_int_equal(function->label_count, 0);
    assert_int_equal(function->returns, VALUE_VOID);
    assert_int_equal(function->error_when.count, 0);
    assert_int_equal(function->throttled_when.count, 0);
    assert_int_equal(function->mode, MANIFEST_MODE_AUTO);
    assert_false(function->is_optional);
    assert_int_equal(function->line, 3);
    assert_int_equal(function->bucket_count, sizeof buckets / sizeof *buckets);
    assert_memory_equal(function->buckets, buckets, sizeof buckets);
    assert_int_equal(function->dynamic_label_count, 0);
    assert_int_equal(function->label_values_max, 100);
    assert_int_equal(function->error_type, MANIFEST_ERROR_TYPE_NONE);
    assert_int_equal(function->items.source, MANIFEST_SOURCE_NONE);
    assert_true(function->sample_rate == 1);
    assert_true(function->slo_objective == 0 && function->slo_latency == 0);
    assert_null(function->build_id);
    assert_false(function->has_recover);
    assert_true(manifest->overhead_budget == 1);
    assert_int_equal(manifest->resource_count, 0);
    assert_null(manifest->state_dir);
    check_default_panics(&manifest->panics);
    manifest_destroy(manifest);
}

static void check_full_function(const struct manifest_function *function)
{
    const struct condition_input failed = {.ret = (uint64_t)-1, .error_number = EIO};
    const struct condition_input throttled = {.ret = (uint64_t)-1, .error_number = EAGAIN};

    assert_string_equal(function->symbol, "recv");
    assert_string_equal(function->object, "libc.so.6");
    assert_string_equal(function->name, "client_recv");
    assert_int_equal(function->returns, VALUE_INT64);
    assert_int_equal(function->label_count, 2);
    assert_string_equal(function->labels[0].name, "dependency");
    assert_string_equal(function->labels[0].value, "client");
    assert_string_equal(function->labels[1].name, "operation");
    assert_true(condition_holds(&function->error_when, &failed));
    assert_false(condition_holds(&function->throttled_when, &failed));
    assert_true(condition_holds(&function->throttled_when, &throttled));
    assert_int_equal(function->bucket_count, 3);
    assert_true(function->buckets[1] == 1e-3);
    assert_int_equal(function->mode, MANIFEST_MODE_FULL);
    assert_true(function->is_optional);
    assert_int_equal(function->line, 11);
}

static void check_dynamic_labels(const struct manifest_function *function)
{
    const struct manifest_dynamic_label *labels = function->dynamic_labels;

    assert_int_equal(function->dynamic_label_count, 3);
    assert_string_equal(labels[0].name, "load");
    assert_int_equal(labels[0].value.source, MANIFEST_SOURCE_FARG);
    assert_int_equal(labels[0].value.number, 1);
    assert_int_equal(labels[0].value.type, VALUE_DOUBLE);
    assert_int_equal(labels[0].max_values, 0);
    assert_string_equal(labels[1].name, "queue");
    assert_int_equal(labels[1].value.source, MANIFEST_SOURCE_ARG);
    assert_int_equal(labels[1].value.number, 2);
    assert_int_equal(labels[1].value.type, VALUE_CSTRING);
    assert_int_equal(labels[1].max_values, 2000);
    assert_string_equal(labels[2].name, "verdict");
    assert_int_equal(labels[2].value.source, MANIFEST_SOURCE_RET);
    assert_int_equal(labels[2].value.type, VALUE_INT64);
    assert_int_equal(labels[2].map_count, 2);
    assert_string_equal(labels[2].map[0].name, "-1");
    assert_string_equal(labels[2].map[0].value, "broken");
    assert_string_equal(labels[2].map[1].name, "0");
    assert_int_equal(function->label_values_max, 2000);
}

static void check_worker(const struct manifest_function *function)
{
    assert_null(function->symbol);
    assert_string_equal(function->build_id, "deadbeef");
    assert_int_equal(function->offset, 0x4711);
    assert_string_equal(function->name, "drain");
    assert_int_equal(function->kind, MANIFEST_KIND_WORKER);
    assert_true(function->sample_rate == 0.25);
    assert_int_equal(function->items.source, MANIFEST_SOURCE_PARAM);
    assert_string_equal(function->items.param, "batch");
    assert_string_equal(function->items.field, "count");
    assert_int_equal(function->items.type, VALUE_UINT32);
    assert_int_equal(function->error_type, MANIFEST_ERROR_TYPE_RET);
    assert_int_equal(function->label_count, 1);
    assert_string_equal(function->labels[0].name, "shard");
    assert_int_equal(function->bucket_count, 7);
    assert_true(function->slo_objective == 0.99);
    assert_true(function->slo_latency == 0.1);
    check_dynamic_labels(function);
}

static void check_resources(const struct manifest *manifest)
{
    const struct manifest_resource *clients = &manifest->resources[0];
    const struct manifest_resource *batch = &manifest->resources[1];

    assert_int_equal(manifest->resource_count, 2);
    assert_string_equal(clients->name, "clients");
    assert_int_equal(clients->in_use.source, MANIFEST_GAUGE_GLOBAL);
    assert_string_equal(clients->in_use.global, "server");
    assert_string_equal(clients->in_use.object, "redis*");
    assert_int_equal(clients->in_use.offset, 0x18);
    assert_true(clients->in_use.is_deref);
    assert_int_equal(clients->in_use.type, VALUE_UINT64);
    assert_int_equal(clients->limit.source, MANIFEST_GAUGE_CONSTANT);
    assert_true(clients->limit.constant == 10000);
    assert_int_equal(batch->in_use.source, MANIFEST_GAUGE_CALL);
    assert_int_equal(batch->in_use.function, 4);
    assert_int_equal(batch->in_use.value.source, MANIFEST_SOURCE_RET);
    assert_int_equal(batch->in_use.value.type, VALUE_INT64);
    assert_int_equal(batch->limit.function, 1);
    assert_int_equal(batch->limit.value.number, 3);
}

static void check_panics(const struct manifest_panics *panics)
{
    static const int signals[] = {SIGABRT, SIGSYS};

    assert_int_equal(panics->signal_count, 2);
    assert_memory_equal(panics->signals, signals, sizeof signals);
    assert_int_equal(panics->backtrace_depth, 16);
    assert_int_equal(panics->linger_seconds, 30);
    assert_string_equal(panics->report_dir, "/tmp/panics");
    assert_int_equal(panics->max_reports, 1000);
    assert_int_equal(panics->max_recoveries, 0);
}

static void every_key_arrives(void **state)
{
    struct corpus corpus;
    struct manifest *manifest;

    (void)state;
    corpus_read(&corpus, corpus_folder, "good", ".json");
    manifest = parse(corpus_find(&corpus, "everything.json")->text);
    corpus_finish(&corpus);
    assert_string_equal(manifest->namespace_, "redis_shim");
    assert_int_equal(manifest->label_count, 2);
    assert_string_equal(manifest->labels[0].name, "az");
    assert_string_equal(manifest->labels[1].value, "storage");
    assert_string_equal(manifest->listen, "[::1]:9464");
    assert_int_equal(manifest->executable_count, 3);
    assert_string_equal(manifest->executables[1], "/usr/bin/redis-*");
    assert_true(manifest->follow_exec);
    assert_int_equal(manifest->function_count, 5);
    assert_int_equal(manifest->functions[0].kind, MANIFEST_KIND_OPERATION);
    assert_int_equal(manifest->functions[0].bucket_count, 7);
    check_full_function(&manifest->functions[1]);
    assert_int_equal(manifest->functions[2].bucket_count, 0);
    assert_true(manifest->functions[2].has_recover);
    assert_int_equal(manifest->functions[2].recover_value, 0);
    assert_int_equal(manifest->functions[3].mode, MANIFEST_MODE_COUNT);
    assert_true(manifest->functions[3].is_glob);
    check_worker(&manifest->functions[4]);
    assert_true(manifest->overhead_budget == 0.05);
    check_resources(manifest);
    check_panics(&manifest->panics);
    assert_string_equal(manifest->state_dir, "/tmp");
    manifest_destroy(manifest);
}

static void recovered_values_are_as_rax_holds_them(void **state)
{
    static const uint64_t values[] = {
        0, 1, 0, (uint64_t)INT32_MIN, INT32_MAX, UINT32_MAX, (uint64_t)INT64_MIN, INT64_MAX, 0, UINT64_MAX};
    struct corpus corpus;
    struct manifest *manifest;

    (void)state;
    corpus_read(&corpus, corpus_folder, "good", ".json");
    manifest = parse(corpus_find(&corpus, "panics.json")->text);
    corpus_finish(&corpus);
    assert_int_equal(manifest->function_count, sizeof values / sizeof *values);
    for (size_t i = 0; i < manifest->function_count; i++) {
        assert_true(manifest->functions[i].has_recover);
        assert_true(manifest->functions[i].sample_rate == 1);
        assert_int_equal(manifest->functions[i].recover_value, values[i]);
    }
    assert_int_equal(manifest->panics.signal_count, 0);
    manifest_destroy(manifest);
}

static void every_signal_that_ends_a_program_has_its_number(void **state)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE,    SIGILL,  SIGABRT, SIGTRAP, SIGSYS,  SIGHUP,
                                  SIGINT,  SIGQUIT, SIGUSR1,   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT,
                                  SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR};

    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char text[200];
        struct manifest *manifest;

        /* glibc says "POLL" of SIGIO. */
        (void)snprintf(text, sizeof text, "{\"version\": 1, \"functions\": [], \"panics\": {\"signals\": [\"SIG%s\"]}}",
                       signals[i] == SIGIO ? "IO" : sigabbrev_np(signals[i]));
        manifest = parse(text);
        assert_int_equal(manifest->panics.signal_count, 1);
        assert_int_equal(manifest->panics.signals[0], signals[i]);
        manifest_destroy(manifest);
    }
}

static void globs_are_told_from_names(void **state)
{
    static const struct {
        const char *symbol;
        bool is_glob;
    } cases[] = {
        {"main", false},
        {"operator*", true},
        {"operator[]", false},
        {"a?", true},
        {"[ab]", true},
        {"x[]", false},
        {"operator[](char)", false},
        {"[]x]", true},
        {"a\\\\*", true},
        {"ns::f(int)", false},
        {"f(int [3])", true},
        {"]", false},
        {"operator[][abi:x]", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        struct manifest *manifest;

        (void)snprintf(text, sizeof text, "{\"version\": 1, \"functions\": [{\"symbol\": \"%s\"}]}", cases[i].symbol);
        manifest = parse(text);
        if (manifest->functions[0].is_glob != cases[i].is_glob)
            fail_msg("%s: is_glob is not %d", cases[i].symbol, cases[i].is_glob);
        manifest_destroy(manifest);
    }
}

static void build_ids_become_lower_case(void **state)
{
    struct manifest *manifest =
        parse("{\"version\": 1, \"functions\": [{\"offset\": \"0x1\", \"build_id\": \"ABCDEFabcdef0189\"}]}");

    (void)state;
    assert_string_equal(manifest->functions[0].build_id, "abcdefabcdef0189");
    manifest_destroy(manifest);
}

static void types_have_the_widths_of_the_platform(void **state)
{
    static const struct {
        const char *name;
        enum value_type type;
    } cases[] = {
        {"void", VALUE_VOID},     {"bool", VALUE_BOOL},     {"int", VALUE_INT32},       {"int32", VALUE_INT32},
        {"uint32", VALUE_UINT32}, {"long", VALUE_INT64},    {"int64", VALUE_INT64},     {"ssize_t", VALUE_INT64},
        {"uint64", VALUE_UINT64}, {"size_t", VALUE_UINT64}, {"pointer", VALUE_POINTER}, {"float", VALUE_FLOAT},
        {"double", VALUE_DOUBLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        struct manifest *manifest;

        (void)snprintf(text, sizeof text, "{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"returns\": \"%s\"}]}",
                       cases[i].name);
        manifest = parse(text);
        assert_int_equal(manifest->functions[0].returns, cases[i].type);
        manifest_destroy(manifest);
    }
}

static void a_condition_implies_int(void **state)
{
    struct manifest *manifest =
        parse("{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"throttled_when\": \"errno == EAGAIN\"}]}");

    (void)state;
    assert_int_equal(manifest->functions[0].returns, VALUE_INT32);
    manifest_destroy(manifest);
}

/* Of the only function of a document with these keys. */
static struct manifest *parse_function(const char *keys)
{
    char text[600];

    (void)snprintf(text, sizeof text, "{\"version\": 1, \"functions\": [{\"symbol\": \"f\", %s}]}", keys);
    return parse(text);
}

static void a_type_of_the_result_implies_returns(void **state)
{
    static const struct {
        const char *keys;
        enum value_type returns;
    } cases[] = {
        {"\"labels\": {\"a\": {\"ret\": true, \"type\": \"int64\"}}", VALUE_INT64},
        {"\"labels\": {\"a\": {\"ret\": true}, \"b\": {\"ret\": true, \"type\": \"double\"}}", VALUE_DOUBLE},
        {"\"labels\": {\"a\": {\"ret\": true, \"type\": \"bool\"}}, \"error_when\": \"ret == 0\"", VALUE_BOOL},
        {"\"labels\": {\"a\": {\"ret\": true}}, \"error_when\": \"ret == 0\"", VALUE_INT32},
        {"\"kind\": \"worker\", \"items\": {\"ret\": true, \"type\": \"size_t\"}", VALUE_UINT64},
        {"\"labels\": {\"a\": {\"arg\": 1, \"type\": \"int\"}}", VALUE_VOID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct manifest *manifest = parse_function(cases[i].keys);
        const struct manifest_function *function = manifest->functions;

        assert_int_equal(function->returns, cases[i].returns);
        for (size_t j = 0; j < function->dynamic_label_count; j++)
            if (function->dynamic_labels[j].value.source == MANIFEST_SOURCE_RET)
                assert_int_equal(function->dynamic_labels[j].value.type, cases[i].returns);
        manifest_destroy(manifest);
    }
}

static void batches_have_longer_buckets(void **state)
{
    static const double buckets[] = {0.01, 0.1, 1, 10, 60, 300, 1800, 7200};
    struct manifest *manifest =
        parse_function("\"kind\": \"batch_job\", \"slo\": {\"objective\": 0.5, \"latency\": 7200}");

    (void)state;
    assert_int_equal(manifest->functions[0].bucket_count, sizeof buckets / sizeof *buckets);
    assert_memory_equal(manifest->functions[0].buckets, buckets, sizeof buckets);
    assert_true(manifest->functions[0].slo_latency == 7200);
    manifest_destroy(manifest);
    manifest = parse("{\"version\": 1, \"defaults\": {\"buckets\": [3]}, \"functions\": [{\"symbol\": \"f\", \"kind\": "
                     "\"worker\"}]}");
    assert_int_equal(manifest->functions[0].bucket_count, 1);
    assert_true(manifest->functions[0].buckets[0] == 3);
    manifest_destroy(manifest);
}

/* The largest that some label gives, else the default, which labels without one of their own do not raise. */
static void the_cap_is_on_all_labels_of_a_function(void **state)
{
    static const struct {
        const char *labels;
        size_t label_values_max;
    } cases[] = {
        {"\"a\": {\"arg\": 1, \"type\": \"int\"}", 20},
        {"\"a\": {\"arg\": 1, \"type\": \"int\", \"max_values\": 3}", 3},
        {"\"a\": {\"arg\": 1, \"type\": \"int\", \"max_values\": 3}, \"b\": {\"farg\": 1, \"max_values\": 7}", 7},
        {"\"a\": {\"arg\": 1, \"type\": \"int\", \"max_values\": 3}, \"b\": {\"farg\": 1}", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        struct manifest *manifest;

        (void)snprintf(text, sizeof text,
                       "{\"version\": 1, \"defaults\": {\"max_label_values\": 20}, \"functions\": [{\"symbol\": \"f\", "
                       "\"labels\": {%s}}]}",
                       cases[i].labels);
        manifest = parse(text);
        assert_int_equal(manifest->functions[0].label_values_max, cases[i].label_values_max);
        manifest_destroy(manifest);
    }
}

/* A count is of all calls, so there is nothing to sample. */
static void defaults_do_not_sample_counts(void **state)
{
    struct manifest *manifest =
        parse("{\"version\": 1, \"defaults\": {\"sample_rate\": 0.5}, \"functions\": [{\"symbol\": "
              "\"f\"}, {\"symbol\": \"g\", \"mode\": \"count\"}]}");

    (void)state;
    assert_true(manifest->functions[0].sample_rate == 0.5);
    assert_true(manifest->functions[1].sample_rate == 1);
    manifest_destroy(manifest);
}

static void resources_find_functions_by_name_then_by_symbol(void **state)
{
    static const struct {
        const char *name;
        size_t index;
    } cases[] = {{"f", 0}, {"shown", 1}, {"hidden", 3}, {"g", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        struct manifest *manifest;

        (void)snprintf(
            text, sizeof text,
            "{\"version\": 1, \"resources\": [{\"name\": \"r\", \"in_use\": {\"function\": \"%s\", \"arg\": 1, "
            "\"type\": \"int\"}}], \"functions\": [{\"symbol\": \"f\"}, {\"symbol\": \"f\", \"name\": "
            "\"shown\"}, {\"symbol\": \"x\", \"name\": \"g\"}, {\"symbol\": \"hidden\", \"name\": \"y\"}, "
            "{\"symbol\": \"g\", \"name\": \"z\"}]}",
            cases[i].name);
        manifest = parse(text);
        assert_int_equal(manifest->resources[0].in_use.function, cases[i].index);
        manifest_destroy(manifest);
    }
}

static void kinds_have_the_names_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(manifest_kind_name(MANIFEST_KIND_FUNCTION), "function");
    assert_string_equal(manifest_kind_name(MANIFEST_KIND_MESSAGE_PROCESSOR), "message_processor");
    assert_string_equal(manifest_kind_name(MANIFEST_KIND_HTTP_HANDLER), "http_handler");
}

static void listen_addresses_are_checked_alone(void **state)
{
    struct diag diag = {""};

    (void)state;
    assert_int_equal(manifest_check_listen("localhost:0", &diag), 0);
    assert_int_equal(manifest_check_listen("", &diag), -EINVAL);
    assert_int_equal(manifest_check_listen(":", &diag), -EINVAL);
    assert_int_equal(manifest_check_listen("[", &diag), -EINVAL);
    assert_int_equal(manifest_check_listen("[]:1", &diag), -EINVAL);
    assert_int_equal(manifest_check_listen("unix:", &diag), -EINVAL);
}

static void a_long_document_is_refused_unread(void **state)
{
    const size_t length = (size_t)MANIFEST_BYTES_MAX + 1;
    char *text = malloc(length + 1);
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    text[length] = '\0';
    assert_refused(text, "test.json:1:1: $: the document is too long; expected at most 16777216 bytes");
    memcpy(text, "{\"version\":1,\"functions\":[]}", 28);
    assert_int_equal(manifest_parse(text, length - 1, "test.json", &manifest, &diag), 0);
    manifest_destroy(manifest);
    free(text);
}

/* Each entry costs constant time, however many there are; a square would take hours. */
static void many_functions_are_read(void **state)
{
    const size_t count = 200000;
    const size_t bytes = count * 32 + 100;
    char *text = malloc(bytes);
    size_t used;
    struct manifest *manifest;

    (void)state;
    assert_non_null(text);
    used = (size_t)snprintf(text, bytes, "{\"version\": 1, \"functions\": [");
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s\n{\"symbol\": \"f%zu\"}", i ? "," : "", i);
    (void)snprintf(text + used, bytes - used, "]}");
    manifest = parse(text);
    assert_int_equal(manifest->function_count, count);
    assert_int_equal(manifest->functions[count - 1].line, count + 1);
    manifest_destroy(manifest);
    free(text);
}

static void long_paths_and_words_are_cut(void **state)
{
    char text[4000];
    char key[1001];
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    (void)state;
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    (void)snprintf(text, sizeof text, "{\"version\": 1, \"%s\": {\"%s\": {\"%s\": x}}}", key, key, key);
    assert_int_equal(manifest_parse(text, strlen(text), key, &manifest, &diag), -EINVAL);
    assert_true(strlen(diag.text) < sizeof diag.text);
    (void)snprintf(text, sizeof text, "{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"kind\": \"%s\"}]}", key);
    assert_int_equal(manifest_parse(text, strlen(text), "f", &manifest, &diag), -EINVAL);
    assert_non_null(strstr(diag.text, "kkk...\"; expected one of function, operation,"));
}

/* A folder for files to load, and their paths. */
struct folder {
    char *path;
    char files[4][PATH_MAX];
    char list[3 * PATH_MAX];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    const char *parent = getenv("TMPDIR");

    if (!folder || asprintf(&folder->path, "%s/test_manifest.XXXXXX", parent ? parent : "/tmp") < 0)
        return -1;
    if (!mkdtemp(folder->path))
        return -1;
    for (int i = 0; i < 4; i++)
        (void)snprintf(folder->files[i], sizeof folder->files[i], "%s/%d.json", folder->path, i);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;

    for (int i = 0; i < 4; i++)
        (void)unlink(folder->files[i]);
    (void)rmdir(folder->path);
    free(folder->path);
    free(folder);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

/* Writes two documents and loads both, with empty elements in the list. */
static int load_two(struct folder *folder, const char *first, const char *second, struct manifest **ret_manifest,
                    struct diag *diag)
{
    write_file(folder->files[0], first);
    write_file(folder->files[1], second);
    (void)snprintf(folder->list, sizeof folder->list, ":%s::%s:", folder->files[0], folder->files[1]);
    return manifest_load(folder->list, ret_manifest, diag);
}

static void files_are_merged_in_order(void **state)
{
    struct manifest *manifest = NULL;
    struct diag diag = {""};
    const int result =
        load_two(*state,
                 "{\"version\": 1, \"namespace\": \"a\", \"listen\": \"none\", \"follow_exec\": true,"
                 " \"labels\": {\"b\": \"1\", \"d\": \"1\"}, \"executables\": [\"x\", \"y\"],"
                 " \"overhead_budget\": 0.25, \"resources\": [{\"name\": \"r\", \"in_use\": {\"value\": 1}}],"
                 " \"defaults\": {\"buckets\": [1], \"sample_rate\": 0.5}, \"functions\": [{\"symbol\": \"f\"},"
                 " {\"symbol\": \"g\", \"buckets\": [3]}, {\"symbol\": \"n\", \"buckets\": []}]}",
                 "{\"version\": 1, \"namespace\": \"b\", \"labels\": {\"a\": \"2\", \"d\": \"2\", \"e\": \"2\"},"
                 " \"executables\": [\"z\"], \"defaults\": {\"buckets\": [2], \"max_label_values\": 7},"
                 " \"resources\": [{\"name\": \"s\", \"in_use\": {\"function\": \"g\", \"farg\": 1}}],\n"
                 " \"functions\": [{\"symbol\": \"h\"}]}",
                 &manifest, &diag);

    assert_string_equal(diag.text, "");
    assert_int_equal(result, 0);
    assert_string_equal(manifest->namespace_, "b");
    assert_string_equal(manifest->listen, "none");
    assert_true(manifest->follow_exec);
    assert_int_equal(manifest->label_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(manifest->labels[i].name[0], "abde"[i]);
        assert_int_equal(manifest->labels[i].value[0], "2122"[i]);
    }
    assert_int_equal(manifest->executable_count, 3);
    assert_string_equal(manifest->executables[0], "x");
    assert_string_equal(manifest->executables[2], "z");
    assert_int_equal(manifest->function_count, 4);
    assert_true(manifest->functions[0].buckets[0] == 1);
    assert_true(manifest->functions[0].sample_rate == 0.5);
    assert_int_equal(manifest->functions[0].label_values_max, 100);
    assert_true(manifest->functions[1].buckets[0] == 3);
    assert_int_equal(manifest->functions[2].bucket_count, 0);
    assert_string_equal(manifest->functions[3].symbol, "h");
    assert_int_equal(manifest->functions[3].line, 2);
    assert_true(manifest->functions[3].buckets[0] == 2);
    assert_true(manifest->functions[3].sample_rate == 1);
    assert_int_equal(manifest->functions[3].label_values_max, 7);
    assert_true(manifest->overhead_budget == 0.25);
    assert_int_equal(manifest->resource_count, 2);
    assert_string_equal(manifest->resources[0].name, "r");
    assert_int_equal(manifest->resources[1].in_use.function, 1);
    manifest_destroy(manifest);
}

/* Of two documents with `panics`, the later one's holds, and its defaults too; one without leaves all as it is. */
static void the_last_panics_and_state_hold_whole(void **state)
{
    static const char with[] = "{\"version\": 1, \"functions\": [], \"panics\": {\"signals\": [\"SIGILL\"], "
                               "\"report_dir\": \"/a\", \"linger_seconds\": 3}, \"state\": {\"dir\": \"/a\"}}";
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    assert_int_equal(load_two(*state, with, "{\"version\": 1, \"functions\": []}", &manifest, &diag), 0);
    assert_int_equal(manifest->panics.signal_count, 1);
    assert_int_equal(manifest->panics.linger_seconds, 3);
    assert_string_equal(manifest->panics.report_dir, "/a");
    assert_string_equal(manifest->state_dir, "/a");
    manifest_destroy(manifest);
    assert_int_equal(load_two(*state, with,
                              "{\"version\": 1, \"functions\": [], \"panics\": {\"max_reports\": 7}, "
                              "\"state\": {\"dir\": \"/b\"}}",
                              &manifest, &diag),
                     0);
    assert_int_equal(manifest->panics.signal_count, 5);
    assert_int_equal(manifest->panics.linger_seconds, 0);
    assert_null(manifest->panics.report_dir);
    assert_int_equal(manifest->panics.max_reports, 7);
    assert_string_equal(manifest->state_dir, "/b");
    manifest_destroy(manifest);
}

static void errors_in_a_list_name_their_file(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        const char *expected; /* behind the second file's name */
    } cases[] = {
        {"{\"version\": 1, \"functions\": [{\"symbol\": \"f\"}]}",
         "{\"version\": 1,\n \"functions\": [{\"symbol\": \"g\"}, {\"symbol\": \"f\"}]}",
         ":2:33: functions[1]: same symbol, object and name as in an earlier manifest (line 1 there); expected one "
         "entry or another \"name\""},
        {"{\"version\": 1, \"labels\": {\"a\": \"1\"}, \"functions\": []}",
         "{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"labels\": {\"a\": \"2\"}}]}",
         ":1:57: functions[0].labels.a: a constant label has this name already; expected another name"},
        {"{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"labels\": {\"a\": \"2\"}}]}",
         "{\"version\": 1, \"labels\": {\"a\": \"1\"}, \"functions\": []}",
         ":1:27: labels.a: a function of an earlier manifest has a label of this name; expected another name"},
        {"{\"version\": 1, \"functions\": [{\"symbol\": \"f\", \"labels\": {\"a\": {\"farg\": 1}}}]}",
         "{\"version\": 1, \"labels\": {\"b\": \"1\", \"a\": \"1\"}, \"functions\": []}",
         ":1:37: labels.a: a function of an earlier manifest has a label of this name; expected another name"},
        {"{\"version\": 1, \"functions\": [], \"resources\": [{\"name\": \"r\", \"in_use\": {\"value\": 1}}]}",
         "{\"version\": 1, \"functions\": [], \"resources\": [{\"name\": \"r\", \"in_use\": {\"value\": 2}}]}",
         ":1:56: resources[0].name: another resource has this name already; expected another name"},
        {"{\"version\": 1, \"functions\": [{\"offset\": \"0x1\", \"build_id\": \"abcd\"}]}",
         "{\"version\": 1, \"functions\": [{\"offset\": \"0x1\", \"build_id\": \"abcd\"}]}",
         ":1:30: functions[0]: same build id, offset and name as in an earlier manifest (line 1 there); expected one "
         "entry or another \"name\""},
        {"{\"version\": 1, \"functions\": []}", "", ":1:1: $: an empty document; expected an object"},
    };
    struct folder *folder = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[PATH_MAX + 600];
        struct manifest *manifest = NULL;
        struct diag diag = {""};

        assert_int_equal(load_two(folder, cases[i].first, cases[i].second, &manifest, &diag), -EINVAL);
        (void)snprintf(expected, sizeof expected, "%s%s", folder->files[1], cases[i].expected);
        assert_string_equal(diag.text, expected);
        assert_null(manifest);
    }
}

static void files_that_cannot_be_read_are_errors(void **state)
{
    struct folder *folder = *state;
    struct manifest *manifest = NULL;
    struct diag diag = {""};

    assert_int_equal(manifest_load(folder->files[2], &manifest, &diag), -ENOENT);
    assert_non_null(strstr(diag.text, "2.json: cannot be read: No such file or directory"));
    assert_int_equal(manifest_load(folder->path, &manifest, &diag), -EISDIR);
    assert_int_equal(manifest_load(":", &manifest, &diag), -EINVAL);
    assert_string_equal(diag.text, "no manifest is named; expected paths separated by \":\"");
    assert_int_equal(manifest_load("/dev/zero", &manifest, &diag), -EINVAL);
    assert_int_equal(mkfifo(folder->files[3], 0600), 0);
    assert_int_equal(manifest_load(folder->files[3], &manifest, &diag), -EINVAL);
    assert_null(manifest);
}

/* With n = 1, 2, ... until all goes well: no leak, no crash, an error with a text. jansson calls its own failures to
 * allocate in the middle of a text invalid tokens. */
static void every_failed_allocation_is_an_error(void **state)
{
    struct corpus corpus;
    const struct corpus_file *file;
    struct manifest *manifest = NULL;
    int out_of_memory = 0;
    int result = -ENOMEM;

    (void)state;
    corpus_read(&corpus, corpus_folder, "good", ".json");
    file = corpus_find(&corpus, "everything.json");
    json_set_alloc_funcs(__wrap_malloc, free);
    for (long n = 1; result; n++) {
        struct diag diag = {""};

        allocations_left = n;
        result = manifest_parse(file->text, file->length, file->name, &manifest, &diag);
        allocations_left = -1;
        out_of_memory += result == -ENOMEM;
        assert_true(result == 0 || result == -ENOMEM || result == -EINVAL);
        assert_true(result == 0 || (diag.text[0] && !manifest));
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(out_of_memory > 40);
    manifest_destroy(manifest);
    corpus_finish(&corpus);
}

/* A locale whose numbers have a comma is made here: few machines have one. */
static void use_decimal_comma(char *folder)
{
    char command[256];

    assert_non_null(mkdtemp(folder));
    (void)snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    assert_int_equal(system(command), 0);
    (void)setenv("LOCPATH", folder, 1);
    assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8"));
    assert_string_equal(localeconv()->decimal_point, ",");
}

static void the_programs_locale_does_not_matter(void **state)
{
    static const double values[] = {0.25, 0.5, 0.75};
    char folder[] = "/tmp/test_manifest.XXXXXX";
    char command[64];
    struct manifest *manifest;

    (void)state;
    use_decimal_comma(folder);
    manifest =
        parse("{\"version\": 1, \"overhead_budget\": 0.5, \"functions\": [{\"symbol\": \"f\", \"buckets\": [0.25, "
              "1.5], \"returns\": \"double\", \"error_when\": \"ret > 0.25\", \"throttled_when\": \"ret == "
              "7.5e-1\", \"sample_rate\": 0.125}]}");
    assert_true(manifest->overhead_budget == 0.5);
    assert_true(manifest->functions[0].buckets[0] == 0.25);
    assert_true(manifest->functions[0].buckets[1] == 1.5);
    assert_true(manifest->functions[0].sample_rate == 0.125);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct condition_input input = {0};

        memcpy(&input.float_ret, &values[i], sizeof input.float_ret);
        assert_int_equal(condition_holds(&manifest->functions[0].error_when, &input), values[i] > 0.25);
        assert_int_equal(condition_holds(&manifest->functions[0].throttled_when, &input), values[i] == 0.75);
    }
    manifest_destroy(manifest);
    (void)setlocale(LC_ALL, "C");
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_documents_are_accepted),
        cmocka_unit_test(bad_documents_are_refused_with_the_expected_message),
        cmocka_unit_test(defaults_are_the_contracts),
        cmocka_unit_test(every_key_arrives),
        cmocka_unit_test(recovered_values_are_as_rax_holds_them),
        cmocka_unit_test(every_signal_that_ends_a_program_has_its_number),
        cmocka_unit_test(globs_are_told_from_names),
        cmocka_unit_test(build_ids_become_lower_case),
        cmocka_unit_test(types_have_the_widths_of_the_platform),
        cmocka_unit_test(a_condition_implies_int),
        cmocka_unit_test(a_type_of_the_result_implies_returns),
        cmocka_unit_test(batches_have_longer_buckets),
        cmocka_unit_test(the_cap_is_on_all_labels_of_a_function),
        cmocka_unit_test(defaults_do_not_sample_counts),
        cmocka_unit_test(resources_find_functions_by_name_then_by_symbol),
        cmocka_unit_test(kinds_have_the_names_of_the_contract),
        cmocka_unit_test(listen_addresses_are_checked_alone),
        cmocka_unit_test(a_long_document_is_refused_unread),
        cmocka_unit_test(many_functions_are_read),
        cmocka_unit_test(long_paths_and_words_are_cut),
        cmocka_unit_test_setup_teardown(files_are_merged_in_order, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_last_panics_and_state_hold_whole, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(errors_in_a_list_name_their_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_read_are_errors, make_folder, remove_folder),
        cmocka_unit_test(every_failed_allocation_is_an_error),
        cmocka_unit_test(the_programs_locale_does_not_matter),
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s tests/manifests\n", argv[0]);
        return 2;
    }
    corpus_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
