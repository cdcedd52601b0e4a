/* Reads what is to be done about fatal signals. */
#include "symbols/manifest/panics.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/common/suggest.h"
#include "symbols/manifest/manifest.h"
#include "symbols/manifest/reader.h"

enum {
    SIGNALS_MAX = 16, /* as many as the segment has room for (server/segment/segment.h) */
    LINGER_SECONDS_MAX = 30,
    BACKTRACE_DEPTH_MAX = 64,
    REPORTS_MAX = 1000,
    REPORTS_DEFAULT = 20,
    RECOVERIES_MAX = 1000000000,
    RECOVERIES_DEFAULT = 5,
};

static const struct manifest_key panics_keys[] = {
    {"signals", true},     {"backtrace_depth", true}, {"linger_seconds", true}, {"report_dir", true},
    {"max_reports", true}, {"max_recoveries", true},  {"registers", true},      {NULL, false},
};

static const struct manifest_key recover_keys[] = {{"return", true}, {NULL, false}};

static const int default_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* Signals that have a name; signal(7) has what they do to a process that does nothing about them. */
static const struct signal_name {
    const char *name;
    int number;
    bool is_fatal;
} signal_names[] = {
    {"SIGSEGV", SIGSEGV, true},     {"SIGBUS", SIGBUS, true},    {"SIGFPE", SIGFPE, true},
    {"SIGILL", SIGILL, true},       {"SIGABRT", SIGABRT, true},  {"SIGTRAP", SIGTRAP, true},
    {"SIGSYS", SIGSYS, true},       {"SIGHUP", SIGHUP, true},    {"SIGINT", SIGINT, true},
    {"SIGQUIT", SIGQUIT, true},     {"SIGUSR1", SIGUSR1, true},  {"SIGUSR2", SIGUSR2, true},
    {"SIGPIPE", SIGPIPE, true},     {"SIGALRM", SIGALRM, true},  {"SIGTERM", SIGTERM, true},
    {"SIGSTKFLT", SIGSTKFLT, true}, {"SIGXCPU", SIGXCPU, true},  {"SIGXFSZ", SIGXFSZ, true},
    {"SIGVTALRM", SIGVTALRM, true}, {"SIGPROF", SIGPROF, true},  {"SIGIO", SIGIO, true},
    {"SIGPWR", SIGPWR, true},       {"SIGKILL", SIGKILL, false}, {"SIGSTOP", SIGSTOP, false},
    {"SIGCHLD", SIGCHLD, false},    {"SIGCONT", SIGCONT, false}, {"SIGTSTP", SIGTSTP, false},
    {"SIGTTIN", SIGTTIN, false},    {"SIGTTOU", SIGTTOU, false}, {"SIGURG", SIGURG, false},
    {"SIGWINCH", SIGWINCH, false},
};

static const size_t signal_name_count = sizeof signal_names / sizeof *signal_names;

int manifest_panics_init(struct manifest_panics *panics)
{
    *panics = (struct manifest_panics){
        .signals = malloc(sizeof default_signals),
        .backtrace_depth = BACKTRACE_DEPTH_MAX,
        .max_reports = REPORTS_DEFAULT,
        .max_recoveries = RECOVERIES_DEFAULT,
    };
    if (!panics->signals)
        return -ENOMEM;
    memcpy(panics->signals, default_signals, sizeof default_signals);
    panics->signal_count = sizeof default_signals / sizeof *default_signals;
    return 0;
}

void manifest_panics_finish(struct manifest_panics *panics)
{
    free(panics->signals);
    free(panics->report_dir);
    *panics = (struct manifest_panics){0};
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static int fail_signal(const struct manifest_reader *reader, const struct json_path *path, const char *name)
{
    struct suggestion suggestion = {.word = name};
    char quoted[DIAG_QUOTE_BYTES];

    diag_quote(quoted, name);
    if (strncmp(name, "SIGRT", 5) == 0)
        return manifest_reader_fail(reader, path, "%s is a real-time signal; expected a fatal one such as \"SIGSEGV\"",
                                    quoted);
    for (size_t i = 0; i < signal_name_count; i++)
        if (signal_names[i].is_fatal)
            suggest_consider(&suggestion, signal_names[i].name);
    if (suggestion.nearest)
        return manifest_reader_fail(reader, path, "unknown signal %s; did you mean \"%s\"?", quoted,
                                    suggestion.nearest);
    return manifest_reader_fail(reader, path, "unknown signal %s; expected a name such as \"SIGSEGV\"", quoted);
}

static int check_fatal(const struct manifest_reader *reader, const struct json_path *path,
                       const struct signal_name *signal)
{
    if (signal->number == SIGKILL || signal->number == SIGSTOP)
        return manifest_reader_fail(
            reader, path, "%s cannot be caught; expected a signal that can be, such as \"SIGSEGV\"", signal->name);
    if (!signal->is_fatal)
        return manifest_reader_fail(
            reader, path, "%s ends no program; expected a signal that does, such as \"SIGSEGV\"", signal->name);
    return 0;
}

static int read_signal(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       int *ret_signal)
{
    const char *name;
    const int result = manifest_reader_string(reader, path, value, &name);

    if (result)
        return result;
    for (size_t i = 0; i < signal_name_count; i++)
        if (strcmp(signal_names[i].name, name) == 0) {
            *ret_signal = signal_names[i].number;
            return check_fatal(reader, path, &signal_names[i]);
        }
    return fail_signal(reader, path, name);
}

static bool has_signal(const struct manifest_panics *panics, int signal)
{
    for (size_t i = 0; i < panics->signal_count; i++)
        if (panics->signals[i] == signal)
            return true;
    return false;
}

static int read_signals(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                        struct manifest_panics *panics)
{
    const size_t count = json_array_size(value);
    int *signals;

    if (!json_is_array(value))
        return manifest_reader_fail_type(reader, path, value, "an array of names of signals");
    if (count > SIGNALS_MAX)
        return manifest_reader_fail(reader, path, "%zu signals; expected at most %d", count, SIGNALS_MAX);
    signals = reallocarray(panics->signals, count + 1, sizeof *signals);
    if (!signals)
        return manifest_reader_fail_memory(reader);
    panics->signals = signals;
    panics->signal_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct json_path step = {.parent = path, .index = i};
        int signal = 0;
        const int result = read_signal(reader, &step, json_array_get(value, i), &signal);

        if (result)
            return result;
        if (has_signal(panics, signal))
            return manifest_reader_fail(reader, &step, "this signal is named already; expected each one once");
        signals[panics->signal_count++] = signal;
    }
    return 0;
}

/* Panics ----------------------------------------------------------------------------------------------------------- */

static int read_number(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       size_t low, size_t high, unsigned *ret_number)
{
    size_t number;
    const int result = manifest_reader_whole(reader, path, value, low, high, &number);

    if (result == 0)
        *ret_number = (unsigned)number;
    return result;
}

static int read_numbers(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                        struct manifest_panics *panics)
{
    const struct {
        const char *key;
        size_t low;
        size_t high;
        unsigned *number;
    } parts[] = {
        {"backtrace_depth", 1, BACKTRACE_DEPTH_MAX, &panics->backtrace_depth},
        {"linger_seconds", 0, LINGER_SECONDS_MAX, &panics->linger_seconds},
        {"max_reports", 1, REPORTS_MAX, &panics->max_reports},
        {"max_recoveries", 0, RECOVERIES_MAX, &panics->max_recoveries},
    };
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof parts / sizeof *parts; i++) {
        const struct json_path step = {.parent = path, .key = parts[i].key};
        const json_t *member = json_object_get(value, step.key);

        if (member)
            result = read_number(reader, &step, member, parts[i].low, parts[i].high, parts[i].number);
    }
    return result;
}

int manifest_panics_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                         struct manifest_panics *panics)
{
    const struct json_path signals = {.parent = path, .key = "signals"};
    const struct json_path report_dir = {.parent = path, .key = "report_dir"};
    const struct json_path registers = {.parent = path, .key = "registers"};
    int result = manifest_reader_check_keys(reader, path, value, panics_keys);
    const json_t *member;

    if (result)
        return result;
    manifest_panics_finish(panics);
    if (manifest_panics_init(panics))
        return manifest_reader_fail_memory(reader);
    member = json_object_get(value, signals.key);
    if (member)
        result = read_signals(reader, &signals, member, panics);
    member = json_object_get(value, report_dir.key);
    if (result == 0 && member)
        result = manifest_reader_directory(reader, &report_dir, member, &panics->report_dir);
    member = json_object_get(value, registers.key);
    if (result == 0 && member)
        result = manifest_reader_bool(reader, &registers, member, &panics->has_registers);
    return result ? result : read_numbers(reader, path, value, panics);
}

/* Recover ---------------------------------------------------------------------------------------------------------- */

/* A whole number between the two, as the low `bits` of rax hold it. */
static int read_whole(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                      long long low, long long high, uint64_t *ret_value)
{
    const json_int_t number = json_integer_value(value);

    if (!json_is_number(value))
        return manifest_reader_fail_type(reader, path, value, "a whole number");
    if (!json_is_integer(value))
        return manifest_reader_fail(
            reader, path, "not a whole number; expected one as the function returns, without a point or exponent");
    if (number < low || number > high)
        return manifest_reader_fail(reader, path, "%lld is out of range; expected %lld to %lld, as in \"returns\"",
                                    (long long)number, low, high);
    *ret_value = (uint64_t)number;
    return 0;
}

static int read_nothing(const struct manifest_reader *reader, const struct json_path *path, const json_t *value)
{
    if (!json_is_null(value))
        return manifest_reader_fail(reader, path,
                                    "the function returns void; expected null, or another type in \"returns\"");
    return 0;
}

static int read_bool(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                     uint64_t *ret_value)
{
    bool is_true = false;
    const int result = manifest_reader_bool(reader, path, value, &is_true);

    if (result == 0)
        *ret_value = is_true;
    return result;
}

/* A value of the function's type, as rax holds it. */
static int read_return(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                       enum value_type type, uint64_t *ret_value)
{
    switch (type) {
    case VALUE_VOID:
        return read_nothing(reader, path, value);
    case VALUE_BOOL:
        return read_bool(reader, path, value, ret_value);
    case VALUE_INT32:
        return read_whole(reader, path, value, INT32_MIN, INT32_MAX, ret_value);
    case VALUE_UINT32:
        return read_whole(reader, path, value, 0, UINT32_MAX, ret_value);
    case VALUE_UINT64:
        return read_whole(reader, path, value, 0, INT64_MAX, ret_value);
    case VALUE_POINTER: /* MAP_FAILED and its like are -1 */
        if (json_is_null(value))
            return 0;
        if (!json_is_number(value))
            return manifest_reader_fail_type(reader, path, value, "null or a whole number");
        return read_whole(reader, path, value, INT64_MIN, INT64_MAX, ret_value);
    default:
        return read_whole(reader, path, value, INT64_MIN, INT64_MAX, ret_value);
    }
}

int manifest_panics_read_recover(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_function *function)
{
    const struct json_path step = {.parent = path, .key = "return"};
    int result = manifest_reader_check_keys(reader, path, value, recover_keys);
    const json_t *member;

    if (result)
        return result;
    if (function->returns == VALUE_FLOAT || function->returns == VALUE_DOUBLE)
        return manifest_reader_fail_key(
            reader, path, "a floating-point result cannot be put in its place; expected no \"recover\" here");
    member = json_object_get(value, step.key);
    if (!member)
        return manifest_reader_fail(reader, path,
                                    "\"return\" is missing; expected what the call returns after a fault");
    result = read_return(reader, &step, member, function->returns, &function->recover_value);
    function->has_recover = result == 0;
    return result;
}
