/* Values that come from calls, as texts of labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/segment/copies.h"
#include "server/segment/values.h"
#include "server/segment/view.h"
#include "tests/unit/segment_builder.h"

#define BAD "\xEF\xBF\xBD"
#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10

static const struct {
    const char *bytes;
    const char *text;
} sanitized[] = {
    {"", ""},
    {"plain", "plain"},
    {"\x01\x7F\n\"\\", "\x01\x7F\n\"\\"},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"a\xFFz", "a" BAD "z"},
    {"\x80\xBF", BAD BAD},
    {"\xC0\xAF", BAD BAD},                    /* overlong */
    {"\xC1\xBF", BAD BAD},                    /* overlong */
    {"\xE0\x9F\xBF", BAD BAD BAD},            /* overlong */
    {"\xF0\x8F\xBF\xBF", BAD BAD BAD BAD},    /* overlong */
    {"\xED\xA0\x80", BAD BAD BAD},            /* a surrogate */
    {"\xED\x9F\xBF", "\xED\x9F\xBF"},         /* the last before them */
    {"\xEE\x80\x80", "\xEE\x80\x80"},         /* the first behind them */
    {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"}, /* U+10FFFF */
    {"\xF4\x90\x80\x80", BAD BAD BAD BAD},
    {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
    {"\xE2\x82", BAD BAD}, /* ends too early */
    {"\xE2\x82z", BAD BAD "z"},
    {"\xF0\x9F\x98z", BAD BAD BAD "z"},
    {A60 "1234", A60 "1234"},
    {A60 "12345", A60 "1234"},
    {A60 "123\xC3\xA9", A60 "123"},
    {A60 "12\xC3\xA9", A60 "12\xC3\xA9"},
    {A60 "12\xFF", A60 "12"},
    {A60 "1\xFF", A60 "1" BAD},
};

static void strings_become_valid_and_short(void **state)
{
    char text[VALUE_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(sanitized) / sizeof(*sanitized); i++) {
        assert_int_equal(values_sanitize(sanitized[i].bytes, strlen(sanitized[i].bytes), text),
                         strlen(sanitized[i].text));
        assert_string_equal(text, sanitized[i].text);
    }
    assert_int_equal(values_sanitize("abc\0def", 7, text), 3);
    assert_int_equal(values_sanitize("abcdef", 4, text), 4);
    assert_int_equal(values_sanitize("a\xC3\xA9", 2, text), 4); /* what follows belongs to somebody else */
    assert_string_equal(text, "a" BAD);
}

static uint64_t double_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint64_t float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return UINT64_C(0xDEADBEEF00000000) | bits;
}

/* The text of one value that a call had. */
static void format_one(const struct segment_builder_label *label, const struct segment_builder_value *value,
                       char text[VALUE_TEXT_BYTES])
{
    struct segment_builder builder;
    struct copies copies = {0};
    struct view_series series;
    struct view view;
    uint64_t values;

    segment_builder_init(&builder, &(struct segment_builder_options){0});
    segment_builder_add_function(&builder, "f", "prog");
    values = segment_builder_add_values(&builder, label, 1, 3);
    segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values});
    segment_builder_add_tuple(&builder, values, value);
    assert_int_equal(view_init(builder.segment, builder.segment->segment_bytes, &copies, &view), 0);
    assert_true(view_read_series(&view, 0, &series));
    values_format(&view, &series.values, 0, 0, text);
    copies_finish(&copies);
    segment_builder_finish(&builder);
}

static void values_are_shown_by_type(void **state)
{
    const struct {
        enum segment_value_type type;
        uint64_t word;
        const char *text;
    } cases[] = {
        {SEGMENT_VALUE_BOOL, 0, "false"},
        {SEGMENT_VALUE_BOOL, 1, "true"},
        {SEGMENT_VALUE_INT64, 0, "0"},
        {SEGMENT_VALUE_INT64, UINT64_MAX, "-1"},
        {SEGMENT_VALUE_INT64, (uint64_t)INT64_MIN, "-9223372036854775808"},
        {SEGMENT_VALUE_INT64, INT64_MAX, "9223372036854775807"},
        {SEGMENT_VALUE_UINT64, UINT64_MAX, "18446744073709551615"},
        {SEGMENT_VALUE_POINTER, 0, "null"},
        {SEGMENT_VALUE_POINTER, 0x7f00deadbeef, "0x7f00deadbeef"},
        {SEGMENT_VALUE_POINTER, UINT64_MAX, "0xffffffffffffffff"},
        {SEGMENT_VALUE_POINTER, 7, "0x7"},
        {SEGMENT_VALUE_FLOAT, float_bits(0.1F), "0.1"},
        {SEGMENT_VALUE_FLOAT, float_bits(16777216.0F), "16777216"},
        {SEGMENT_VALUE_FLOAT, float_bits(1e-45F), "1e-45"},
        {SEGMENT_VALUE_FLOAT, float_bits(-3.4028235e38F), "-3.4028235e+38"},
        {SEGMENT_VALUE_FLOAT, float_bits(-NAN), "NaN"},
        {SEGMENT_VALUE_FLOAT, float_bits(-INFINITY), "-Inf"},
        {SEGMENT_VALUE_DOUBLE, double_bits(0.1), "0.1"},
        {SEGMENT_VALUE_DOUBLE, double_bits(-2.5), "-2.5"},
        {SEGMENT_VALUE_DOUBLE, double_bits(5), "5"},
        {SEGMENT_VALUE_DOUBLE, double_bits(NAN), "NaN"},
        {SEGMENT_VALUE_DOUBLE, double_bits(INFINITY), "+Inf"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[VALUE_TEXT_BYTES];

        format_one(&(struct segment_builder_label){.name = "l", .type = cases[i].type},
                   &(struct segment_builder_value){.word = cases[i].word}, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void what_cannot_be_read_is_invalid(void **state)
{
    char text[VALUE_TEXT_BYTES];

    (void)state;
    format_one(&(struct segment_builder_label){.name = "l", .type = SEGMENT_VALUE_STRING},
               &(struct segment_builder_value){.is_invalid = true}, text);
    assert_string_equal(text, "invalid");
    format_one(&(struct segment_builder_label){.name = "l", .type = SEGMENT_VALUE_INT64},
               &(struct segment_builder_value){.is_invalid = true}, text);
    assert_string_equal(text, "invalid");
    format_one(&(struct segment_builder_label){.name = "l", .type = SEGMENT_VALUE_STRING, .map = "invalid\0gone\0"},
               &(struct segment_builder_value){.is_invalid = true}, text);
    assert_string_equal(text, "gone");
}

static void a_map_renames_values(void **state)
{
    const struct {
        const char *value;
        const char *text;
    } cases[] = {{"", "none"}, {"a", "first"}, {"b", ""}, {"c\xFF", "long: " A60}, {"d", "d"}, {"first", "first"}};
    const struct segment_builder_label label = {
        .name = "l", .type = SEGMENT_VALUE_STRING, .map = "\0none\0a\0first\0b\0\0c" BAD "\0long: " A60 "\0"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char expected[VALUE_TEXT_BYTES];
        char text[VALUE_TEXT_BYTES];

        snprintf(expected, sizeof(expected), "%s", cases[i].text);
        format_one(&label, &(struct segment_builder_value){.text = cases[i].value}, text);
        assert_string_equal(text, expected);
    }
}

struct labelled {
    const char *static_labels;
    const char *names[3];
    const char *labels;
    size_t length;
};

#define LABELLED(static_labels, first, second, labels)                                                                 \
    {                                                                                                                  \
        static_labels, {first, second}, labels, sizeof(labels) - 1                                                     \
    }

static void labels_are_one_sorted_text(void **state)
{
    static const struct labelled cases[] = {
        LABELLED("", "b", "d", "b\0x\0d\0x\0"),
        LABELLED("a\0one\0", "b", "d", "a\0one\0b\0x\0d\0x\0"),
        LABELLED("a\0one\0c\0two\0z\0\0", "b", "d", "a\0one\0b\0x\0c\0two\0d\0x\0z\0\0"),
        LABELLED("b\0one\0", "b", "d", "b\0one\0d\0x\0"), /* the static one stays */
        LABELLED("a\0one\0", "d", "d", "a\0one\0d\0x\0"), /* each name once */
        LABELLED("a\0one\0", "", "d", "a\0one\0d\0x\0"),  /* no name */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct segment_builder_label labels[] = {{cases[i].names[0], SEGMENT_VALUE_STRING, NULL},
                                                 {cases[i].names[1], SEGMENT_VALUE_STRING, NULL}};
        const struct segment_builder_value tuple[] = {{.text = "x"}, {.text = "x"}};
        struct segment_builder builder;
        struct copies copies = {0};
        struct view_series series;
        struct view view;
        uint64_t values;
        char text[512];

        segment_builder_init(&builder, &(struct segment_builder_options){0});
        segment_builder_add_function(&builder, "f", "prog");
        values = segment_builder_add_values(&builder, labels, 2, 3);
        segment_builder_add_series(&builder, &(struct segment_builder_series){.values = values});
        segment_builder_add_tuple(&builder, values, tuple);
        assert_int_equal(view_init(builder.segment, builder.segment->segment_bytes, &copies, &view), 0);
        assert_true(view_read_series(&view, 0, &series));
        assert_true(values_labels_bytes_max(&view, &series.values, 40) <= sizeof(text));
        assert_int_equal(values_write_labels(&view, &series.values, 0, cases[i].static_labels, text), cases[i].length);
        assert_memory_equal(text, cases[i].labels, cases[i].length + 1);
        copies_finish(&copies);
        segment_builder_finish(&builder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_become_valid_and_short), cmocka_unit_test(values_are_shown_by_type),
        cmocka_unit_test(what_cannot_be_read_is_invalid), cmocka_unit_test(a_map_renames_values),
        cmocka_unit_test(labels_are_one_sorted_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
