/* Mutates the documents of the corpus and parses what comes out: no crash, and every answer keeps its contract. The
 * same documents each time. Argument: the corpus's folder; FULL=1 in the environment: many more. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

enum {
    ROUNDS = 20000,
    ROUNDS_FULL = 2000000,
    TEXT_BYTES_MAX = 20000,
};

static const char *const dictionary[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "false",
    "-0",
    "1e999",
    "1e-999",
    "-1",
    "0",
    "0x7f",
    "18446744073709551616",
    "\"symbol\":",
    "\"object\":",
    "\"name\":",
    "\"kind\":",
    "\"labels\":",
    "\"returns\":",
    "\"error_when\":",
    "\"throttled_when\":",
    "\"buckets\":",
    "\"mode\":",
    "\"optional\":",
    "\"functions\":",
    "\"version\":1",
    "\"offset\":",
    "\"build_id\":",
    "\"error_type\":",
    "\"items\":",
    "\"sample_rate\":",
    "\"overhead_budget\":",
    "\"slo\":",
    "\"objective\":",
    "\"latency\":",
    "\"arg\":",
    "\"farg\":",
    "\"ret\":true",
    "\"param\":",
    "\"field\":",
    "\"type\":",
    "\"max_values\":",
    "\"high_cardinality\":true",
    "\"map\":",
    "\"resources\":",
    "\"in_use\":",
    "\"limit\":",
    "\"value\":",
    "\"global\":",
    "\"deref\":",
    "\"function\":",
    "\"cstring\"",
    "\"worker\"",
    "\"http_handler\"",
    "\"count\"",
    "\"pointer\"",
    "\"double\"",
    "\"bool\"",
    "ret",
    "errno",
    " in (",
    ")",
    "(",
    "!",
    "&&",
    "||",
    "==",
    "<",
    ">=",
    "EAGAIN",
    "EWOULDBLOCK",
    "\xEF\xBB\xBF",
    "\xFF",
    "\xC3",
    "\xF0\x9F\x9A\x80",
    "*",
    "?",
    "\n",
    "unix:/",
    "none",
    "[::1]:80",
};

struct text {
    char bytes[TEXT_BYTES_MAX];
    size_t length;
};

static uint64_t seed = 0x9E3779B97F4A7C15;

static size_t draw(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return below ? (size_t)(seed >> 11) % below : 0;
}

static void erase(struct text *text, size_t at, size_t count)
{
    memmove(text->bytes + at, text->bytes + at + count, text->length - at - count);
    text->length -= count;
}

static void insert(struct text *text, size_t at, const char *bytes, size_t count)
{
    if (text->length + count > TEXT_BYTES_MAX)
        return;
    memmove(text->bytes + at + count, text->bytes + at, text->length - at);
    memcpy(text->bytes + at, bytes, count);
    text->length += count;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Puts a piece of another document in. */
static void splice(struct text *text, const struct corpus_file *other)
{
    const size_t from = draw(other->length);

    insert(text, draw(text->length + 1), other->text + from, draw(least(other->length - from, 64) + 1));
}

static void mutate(struct text *text, const struct corpus *corpus)
{
    const size_t at = draw(text->length);
    const char *word = dictionary[draw(sizeof dictionary / sizeof *dictionary)];
    char piece[256];
    size_t count;

    switch (draw(7)) {
    case 0:
        if (text->length)
            text->bytes[at] = (char)draw(256);
        break;
    case 1:
        erase(text, at, draw(least(text->length - at, 16) + 1));
        break;
    case 2:
    case 3:
        insert(text, at, word, strlen(word));
        break;
    case 4:
        count = draw(least(text->length - at, sizeof piece) + 1);
        memcpy(piece, text->bytes + at, count);
        insert(text, draw(text->length + 1), piece, count);
        break;
    case 5:
        if (draw(4) == 0)
            text->length = at;
        break;
    default:
        splice(text, &corpus->files[draw(corpus->count)]);
    }
}

static void require(bool is_true, const char *what, const struct text *text, const struct diag *diag)
{
    if (is_true)
        return;
    (void)fprintf(stderr, "not so: %s\ndiag: %s\ndocument (%zu bytes):\n", what, diag->text, text->length);
    (void)fwrite(text->bytes, 1, text->length, stderr);
    abort();
}

static void check_error(const struct text *text, int result, const struct diag *diag)
{
    int line = 0;
    int column = 0;
    int end = 0;

    require(result == -EINVAL, "-EINVAL", text, diag);
    (void)sscanf(diag->text, "fuzz.json:%d:%d: %n", &line, &column, &end);
    require(line > 0 && column > 0 && end > 0, "FILE:LINE:COLUMN: ", text, diag);
    require(strstr(diag->text + end, ": ") != NULL, "PATH: ", text, diag);
    require(strpbrk(diag->text, "\n\r\t\x1b") == NULL, "one line", text, diag);
    require((size_t)line <= text->length + 1 && (size_t)column <= text->length + 1, "inside", text, diag);
}

static void check_value(const struct text *text, const struct manifest_value *value, const struct diag *diag)
{
    const bool is_numbered = value->source == MANIFEST_SOURCE_ARG || value->source == MANIFEST_SOURCE_FARG;

    require(is_numbered ? value->number >= 1 && value->number <= 32 : value->number == 0, "a number", text, diag);
    require((value->source == MANIFEST_SOURCE_PARAM) == (value->param != NULL), "a parameter", text, diag);
    require(!value->field || value->param, "a field of a parameter", text, diag);
    require(value->type != VALUE_VOID || value->source == MANIFEST_SOURCE_PARAM ||
                value->source == MANIFEST_SOURCE_NONE,
            "a type", text, diag);
}

static void check_labels(const struct text *text, const struct manifest_function *function, const struct diag *diag)
{
    require(function->dynamic_label_count <= 8, "8 dynamic labels", text, diag);
    require(function->label_values_max >= 1 && function->label_values_max <= 100000, "a cap", text, diag);
    for (size_t i = 0; i < function->dynamic_label_count; i++) {
        const struct manifest_dynamic_label *label = &function->dynamic_labels[i];

        require(!i || strcmp(label[-1].name, label->name) < 0, "sorted dynamic labels", text, diag);
        require(label->value.source != MANIFEST_SOURCE_NONE, "a source", text, diag);
        require(label->value.source != MANIFEST_SOURCE_RET || label->value.type == function->returns, "the type of ret",
                text, diag);
        check_value(text, &label->value, diag);
        for (size_t j = 1; j < label->map_count; j++)
            require(strcmp(label->map[j - 1].name, label->map[j].name) < 0, "a sorted map", text, diag);
    }
}

static void check_gauge(const struct text *text, const struct manifest *manifest, const struct manifest_gauge *gauge,
                        const struct diag *diag)
{
    if (gauge->source == MANIFEST_GAUGE_GLOBAL)
        require(gauge->global && gauge->type != VALUE_VOID && gauge->type != VALUE_CSTRING, "a variable", text, diag);
    if (gauge->source == MANIFEST_GAUGE_CALL)
        require(gauge->function < manifest->function_count && gauge->value.source != MANIFEST_SOURCE_NONE, "a function",
                text, diag);
    check_value(text, &gauge->value, diag);
}

static void check_function(const struct text *text, const struct manifest_function *function, const struct diag *diag)
{
    const struct condition_input input = {.ret = draw(SIZE_MAX), .float_ret = draw(SIZE_MAX), .error_number = 11};

    require(function->symbol ? *function->symbol && !function->build_id : function->build_id != NULL, "a place", text,
            diag);
    require(function->sample_rate > 0 && function->sample_rate <= 1, "a sample rate", text, diag);
    check_labels(text, function, diag);
    check_value(text, &function->items, diag);
    require(function->buckets && function->bucket_count <= 100, "buckets", text, diag);
    for (size_t i = 0; i < function->bucket_count; i++)
        require(function->buckets[i] > (i ? function->buckets[i - 1] : 0), "ascending", text, diag);
    for (size_t i = 1; i < function->label_count; i++)
        require(strcmp(function->labels[i - 1].name, function->labels[i].name) < 0, "sorted labels", text, diag);
    for (size_t i = 0; i < function->error_when.count; i++)
        require(function->error_when.tests[i].on_true > i && function->error_when.tests[i].on_false > i, "goes on",
                text, diag);
    (void)condition_holds(&function->error_when, &input);
    (void)condition_holds(&function->throttled_when, &input);
    require(function->line > 0 && (size_t)function->line <= text->length, "a line", text, diag);
}

static bool run(const struct text *text)
{
    /* Of its exact size, so that a sanitizer sees each byte that is read behind it. */
    char *exact = malloc(text->length ? text->length : 1);
    struct manifest *manifest = NULL;
    struct diag diag = {""};
    int result;

    if (!exact)
        abort();
    memcpy(exact, text->bytes, text->length);
    result = manifest_parse(exact, text->length, "fuzz.json", &manifest, &diag);
    free(exact);
    if (result)
        check_error(text, result, &diag);
    for (size_t i = 0; manifest && i < manifest->function_count; i++)
        check_function(text, &manifest->functions[i], &diag);
    for (size_t i = 0; manifest && i < manifest->resource_count; i++) {
        require(manifest->resources[i].in_use.source != MANIFEST_GAUGE_NONE, "in use", text, &diag);
        check_gauge(text, manifest, &manifest->resources[i].in_use, &diag);
        check_gauge(text, manifest, &manifest->resources[i].limit, &diag);
    }
    manifest_destroy(manifest);
    return result == 0;
}

int main(int argc, char **argv)
{
    const char *full = getenv("FULL");
    const int rounds = full && strcmp(full, "1") == 0 ? ROUNDS_FULL : ROUNDS;
    struct corpus corpora[2];
    static struct text text;
    int accepted = 0;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s tests/manifests\n", argv[0]);
        return 2;
    }
    corpus_read(&corpora[0], argv[1], "good", ".json");
    corpus_read(&corpora[1], argv[1], "bad", ".json");
    for (int i = 0; i < rounds; i++) {
        const struct corpus *corpus = &corpora[draw(4) == 0];
        const struct corpus_file *file = &corpus->files[draw(corpus->count)];

        text.length = least(file->length, TEXT_BYTES_MAX);
        memcpy(text.bytes, file->text, text.length);
        for (size_t changes = 1 + draw(3); changes > 0; changes--)
            mutate(&text, corpus);
        accepted += run(&text);
    }
    (void)printf("%d documents, %d of them accepted\n", rounds, accepted);
    corpus_finish(&corpora[0]);
    corpus_finish(&corpora[1]);
    return accepted == 0;
}
