/* `callmeter panics`: the reports of a folder or of a running endpoint, for people. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/cli/cli.h"
#include "preload/cli/fetch.h"
#include "preload/cli/say.h"
#include "server/http/panics.h"
#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"

#define DEFAULT_URL "http://127.0.0.1:9464"
#define PANICS_PATH "/api/v1/panics"

enum {
    PANICS_OPTION_JSON = 256,
};

static const struct option panics_long_options[] = {
    {"json", no_argument, NULL, PANICS_OPTION_JSON}, {"help", no_argument, NULL, 'h'}, {0}};

/* Prints it fit for a terminal: a report may have been written by anybody. */
static void put(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return;
    demangle_sanitize(copy);
    fputs(copy, stdout);
    free(copy);
}

/* Empty where it was left out. */
static const char *string_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_int_t integer_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void put_headline(const json_t *report)
{
    put(string_of(report, "time"));
    fputs("  ", stdout);
    put(string_of(report, "signal"));
    fputs(" (", stdout);
    put(string_of(report, "code"));
    fputs(")", stdout);
    if (*string_of(report, "address")) {
        fputs(" at ", stdout);
        put(string_of(report, "address"));
    }
    if (*string_of(report, "function")) {
        fputs(" in ", stdout);
        put(string_of(report, "function"));
        fputs(" (", stdout);
        put(string_of(report, "module"));
        fputs(")", stdout);
    } else {
        fputs(" in no tracked function", stdout);
    }
    fputs("\n", stdout);
}

static void put_process(const json_t *report)
{
    const json_t *recovered = json_object_get(report, "recovered");

    printf("  process %" JSON_INTEGER_FORMAT ", thread %" JSON_INTEGER_FORMAT " (", integer_of(report, "pid"),
           integer_of(report, "tid"));
    put(string_of(report, "comm"));
    fputs(json_is_true(recovered) ? "), recovered" : "), not recovered: ", stdout);
    if (json_is_string(recovered))
        put(json_string_value(recovered));
    fputs("\n", stdout);
}

static void put_frames(const json_t *report)
{
    size_t i;
    json_t *frame;

    json_array_foreach(json_object_get(report, "frames"), i, frame)
    {
        printf("  %3zu  ", i);
        put(*string_of(frame, "symbol") ? string_of(frame, "symbol") : "??");
        fputs("  ", stdout);
        put(string_of(frame, "module"));
        fputs(*string_of(frame, "module") ? "+" : "", stdout);
        put(string_of(frame, "offset"));
        fputs("\n", stdout);
    }
}

static void put_active(const json_t *report)
{
    size_t i, j;
    json_t *thread, *call;

    json_array_foreach(json_object_get(report, "active"), i, thread)
    {
        printf("%s  %" JSON_INTEGER_FORMAT ": ", i ? "" : "  tracked calls in progress, by thread:\n",
               integer_of(thread, "tid"));
        json_array_foreach(json_object_get(thread, "calls"), j, call)
        {
            fputs(j ? " <- " : "", stdout);
            put(json_string_value(call));
        }
        fputs("\n", stdout);
    }
}

static void print(const json_t *panics)
{
    size_t i;
    json_t *report;

    json_array_foreach(json_object_get(panics, "panics"), i, report)
    {
        fputs(i ? "\n" : "", stdout);
        put_headline(report);
        put_process(report);
        put_frames(report);
        put_active(report);
    }
}

static char *demangle_full(const char *name, size_t length)
{
    return demangle(name, length, DEMANGLE_FULL);
}

static int read_url(const char *url, json_t **ret_panics)
{
    struct diag diag = {0};
    char *body;
    size_t bytes;
    json_t *panics;

    if (fetch(url, PANICS_PATH, &body, &bytes, &diag) != 0) {
        say_error("%s: %s", url, diag.text);
        return CLI_EXIT_UNAVAILABLE;
    }
    panics = json_loadb(body, bytes, 0, NULL);
    free(body);
    if (!panics || !panics_are_valid(panics)) {
        say_error("%s%s: these are no reports of panics; is it an endpoint of callmeter?", url, PANICS_PATH);
        json_decref(panics);
        return CLI_EXIT_UNAVAILABLE;
    }
    *ret_panics = panics;
    return 0;
}

static int read_folder(const char *folder, json_t **ret_panics)
{
    int result = panics_read(folder, false, demangle_full, ret_panics);

    if (result == 0)
        return 0;
    say_error("%s: %s", folder, strerror(-result));
    return CLI_EXIT_UNAVAILABLE;
}

static int show(const char *place, bool is_json)
{
    json_t *panics = NULL;
    int result = fetch_is_url(place) ? read_url(place, &panics) : read_folder(place, &panics);

    if (result != 0)
        return result;
    if (is_json) {
        json_dumpf(panics, stdout, JSON_INDENT(2));
        fputs("\n", stdout);
    } else if (json_array_size(json_object_get(panics, "panics")) == 0) {
        say_error("%s: no reports of panics", place);
    } else {
        print(panics);
    }
    json_decref(panics);
    return fflush(stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_BROKEN;
}

int cli_panics(int argc, char **argv)
{
    bool is_json = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", panics_long_options, NULL)) != -1) {
        if (option != PANICS_OPTION_JSON)
            return say_usage("panics", NULL);
        is_json = true;
    }
    if (argc - optind > 1)
        return say_usage("panics", "%s: panics takes one URL or folder", argv[optind + 1]);
    return show(optind < argc ? argv[optind] : DEFAULT_URL, is_json);
}
