/* Functions that a label takes its values from: arguments of each type and place, results, and several at once. */
#include "samples.h"
#include "victim.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    ROUNDS = 700
};

static int place;

/* How often the i-th value was given is i + 1 times ROUNDS. */
static void say_value(const char *function, const char *value, int index)
{
    char labels[160];

    snprintf(labels, sizeof(labels), "function=\"%s\",value=\"%s\"", function, value);
    say_outcomes(labels, &(struct outcomes){.success = (uint64_t)(index + 1) * ROUNDS});
}

static void say_count(const char *function, int values)
{
    printf("series calls_active{function=\"%s\"} %d\n", function, values);
    printf("sample label_overflows_total{function=\"%s\",label=\"value\"} 0\n", function);
}

/* Calls STATEMENT with `i` and `value` for each of the values, the i-th (i + 1) * ROUNDS times. */
#define GIVE(type, values, statement)                                                                                  \
    for (int i = 0; i < (int)(sizeof(values) / sizeof(*(values))); i++) {                                              \
        type value = (values)[i];                                                                                      \
        for (int round = 0; round < (i + 1) * ROUNDS; round++)                                                         \
            statement;                                                                                                 \
    }

#define SAY(function, texts)                                                                                           \
    do {                                                                                                               \
        const int count = (int)(sizeof(texts) / sizeof(*(texts)));                                                     \
        for (int i = 0; i < count; i++)                                                                                \
            say_value(#function, (texts)[i], i);                                                                       \
        say_count(#function, count);                                                                                   \
    } while (0)

TRACKED int by_int(int value)
{
    TOUCH();
    return value;
}

TRACKED bool by_bool(bool value)
{
    TOUCH();
    return value;
}

TRACKED uint32_t by_uint32(uint32_t value)
{
    TOUCH();
    return value;
}

TRACKED int64_t by_int64(int64_t value)
{
    TOUCH();
    return value;
}

TRACKED uint64_t by_uint64(uint64_t value)
{
    TOUCH();
    return value;
}

TRACKED const void *by_pointer(const void *value)
{
    TOUCH();
    return value;
}

static void integers(void)
{
    static const int ints[] = {0, -1, 42, INT32_MIN, INT32_MAX};
    static const char *const int_texts[] = {"0", "-1", "42", "-2147483648", "2147483647"};
    static const uint32_t uint32s[] = {0, 7, UINT32_MAX};
    static const char *const uint32_texts[] = {"0", "7", "4294967295"};
    static const int64_t int64s[] = {INT64_MIN, -5, INT64_MAX};
    static const char *const int64_texts[] = {"-9223372036854775808", "-5", "9223372036854775807"};
    static const uint64_t uint64s[] = {0, UINT64_MAX, UINT64_C(1) << 63};
    static const char *const uint64_texts[] = {"0", "18446744073709551615", "9223372036854775808"};

    GIVE(int, ints, CHECK(by_int(value) == value));
    GIVE(uint32_t, uint32s, CHECK(by_uint32(value) == value));
    GIVE(int64_t, int64s, CHECK(by_int64(value) == value));
    GIVE(uint64_t, uint64s, CHECK(by_uint64(value) == value));
    SAY(by_int, int_texts);
    SAY(by_uint32, uint32_texts);
    SAY(by_int64, int64_texts);
    SAY(by_uint64, uint64_texts);
}

/* The ABI leaves what lies above a narrow argument in its register open. */
static void rubbish(void)
{
    static const int64_t ints[] = {INT64_C(0x7eadbeef00000003), INT64_C(0x12345678fffffffe)};
    static const char *const int_texts[] = {"3", "-2"};
    static const uint64_t uint32s[] = {UINT64_C(0xdeadbeef00000009)};
    static const char *const uint32_texts[] = {"9"};
    static const uint64_t bools[] = {UINT64_C(0xdeadbeefdeadbe00), UINT64_C(0xdeadbeefdeadbe01)};
    static const char *const bool_texts[] = {"false", "true"};
    int (*volatile wide_int)(int64_t) = (int (*)(int64_t))(void *)by_int;
    uint32_t (*volatile wide_uint32)(uint64_t) = (uint32_t(*)(uint64_t))(void *)by_uint32;
    bool (*volatile wide_bool)(uint64_t) = (bool (*)(uint64_t))(void *)by_bool;

    GIVE(int64_t, ints, CHECK(wide_int(value) == (int)value));
    GIVE(uint64_t, uint32s, CHECK(wide_uint32(value) == (uint32_t)value));
    GIVE(uint64_t, bools, CHECK(wide_bool(value) == (value & 1)));
    SAY(by_int, int_texts);
    SAY(by_uint32, uint32_texts);
    SAY(by_bool, bool_texts);
}

static void pointers(void)
{
    const void *values[] = {NULL, &place, (const void *)UINTPTR_MAX};
    char address[32];
    const char *texts[] = {"null", address, "0xffffffffffffffff"};
    static const bool bools[] = {false, true};
    static const char *const bool_texts[] = {"false", "true"};

    snprintf(address, sizeof(address), "0x%lx", (unsigned long)&place);
    GIVE(const void *, values, CHECK(by_pointer(value) == value));
    GIVE(bool, bools, CHECK(by_bool(value) == value));
    SAY(by_pointer, texts);
    SAY(by_bool, bool_texts);
}

TRACKED float by_float(int unrelated, float value)
{
    TOUCH();
    CHECK(unrelated == 5);
    return value;
}

TRACKED double by_double(double first, int unrelated, double value)
{
    TOUCH();
    CHECK(first == 0.75 && unrelated == 6);
    return value;
}

/* The ninth one lies on the stack. */
TRACKED double by_ninth_double(double a, double b, double c, double d, double e, double f, double g, double h,
                               double value)
{
    TOUCH();
    CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8);
    return value;
}

static bool is_same(double a, double b)
{
    return !memcmp(&a, &b, sizeof(a)) || (isnan(a) && isnan(b));
}

static void floats(void)
{
    static const float singles[] = {0.1F, -2.5F, 1e-30F, (float)INFINITY};
    static const char *const single_texts[] = {"0.1", "-2.5", "1e-30", "+Inf"};
    static const double doubles[] = {0.1, 1e-300, -1.7976931348623157e308, (double)NAN, (double)-INFINITY};
    static const char *const double_texts[] = {"0.1", "1e-300", "-1.7976931348623157e+308", "NaN", "-Inf"};
    static const double ninths[] = {0.5, 0.25};
    static const char *const ninth_texts[] = {"0.5", "0.25"};

    GIVE(float, singles, CHECK(is_same((double)by_float(5, value), (double)value)));
    GIVE(double, doubles, CHECK(is_same(by_double(0.75, 6, value), value)));
    GIVE(double, ninths, CHECK(is_same(by_ninth_double(1, 2, 3, 4, 5, 6, 7, 8, value), value)));
    SAY(by_float, single_texts);
    SAY(by_double, double_texts);
    SAY(by_ninth_double, ninth_texts);
}

TRACKED long by_seventh(long a, long b, long c, long d, long e, long f, long value)
{
    TOUCH();
    CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6);
    return value;
}

TRACKED const char *by_tenth(double x, long a, long b, long c, long d, long e, long f, long g, long h, long i,
                             const char *value)
{
    TOUCH();
    CHECK(x == 0.5 && a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == 9);
    return value;
}

TRACKED int by_sixth(int a, int b, int c, int d, int e, int value)
{
    TOUCH();
    CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5);
    return value;
}

static void stack(void)
{
    static const long longs[] = {-9, 0, 1L << 40};
    static const char *const long_texts[] = {"-9", "0", "1099511627776"};
    static const char *const strings[] = {"ten", "zehn"};
    static const int ints[] = {8, 4};
    static const char *const int_texts[] = {"8", "4"};

    GIVE(long, longs, CHECK(by_seventh(1, 2, 3, 4, 5, 6, value) == value));
    GIVE(const char *, strings, CHECK(by_tenth(0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, value) == value));
    GIVE(int, ints, CHECK(by_sixth(1, 2, 3, 4, 5, value) == value));
    SAY(by_seventh, long_texts);
    SAY(by_tenth, strings);
    SAY(by_sixth, int_texts);
}

/* All arguments that lie in registers, and the first two behind them. */
TRACKED int by_eight(int a, int b, int c, int d, int e, int f, int g, int h)
{
    TOUCH();
    return a + b + c + d + e + f + g + h;
}

TRACKED double by_eight_doubles(double a, double b, double c, double d, double e, double f, double g, double h)
{
    TOUCH();
    return a + b + c + d + e + f + g + h;
}

static void registers(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(by_eight(11, 12, 13, 14, 15, 16, 17, 18) == 116);
        CHECK(is_same(by_eight_doubles(1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5), 40));
    }
    say_sample("calls_total",
               "function=\"by_eight\",a=\"11\",b=\"12\",c=\"13\",d=\"14\",e=\"15\",f=\"16\",g=\"17\",h=\"18\","
               "outcome=\"success\"",
               ROUNDS);
    say_sample("calls_total",
               "function=\"by_eight_doubles\",a=\"1.5\",b=\"2.5\",c=\"3.5\",d=\"4.5\",e=\"5.5\",f=\"6.5\",g=\"7.5\","
               "h=\"8.5\",outcome=\"success\"",
               ROUNDS);
}

TRACKED double answer_double(double value)
{
    TOUCH();
    return value;
}

TRACKED bool answer_bool(int value)
{
    TOUCH();
    return value > 5;
}

/* Labels are of the results: nobody is within, and no value is unknown. */
static void results(void)
{
    static const int ints[] = {200, 404, -7};
    static const char *const int_texts[] = {"200", "404", "-7"};
    static const double doubles[] = {0.125, 2.5};
    static const char *const double_texts[] = {"0.125", "2.5"};
    const void *pointers_[] = {NULL, (const void *)0x10};
    static const char *const pointer_texts[] = {"null", "0x10"};
    static const int bools[] = {3, 6};
    static const char *const bool_texts[] = {"false", "true"};

    GIVE(int, ints, CHECK(by_int(value) == value));
    GIVE(double, doubles, CHECK(is_same(answer_double(value), value)));
    GIVE(const void *, pointers_, CHECK(by_pointer(value) == value));
    GIVE(int, bools, CHECK(answer_bool(value) == (value > 5)));
    for (int i = 0; i < 3; i++)
        say_value("by_int", int_texts[i], i);
    for (int i = 0; i < 2; i++) {
        say_value("answer_double", double_texts[i], i);
        say_value("by_pointer", pointer_texts[i], i);
        say_value("answer_bool", bool_texts[i], i);
    }
    printf("total calls_active{function=\"by_int\"} 0\n");
    printf("total calls_total{function=\"by_int\"} %d\n", 6 * ROUNDS);
}

/* -1 for an error; the outcome and two labels depend on one call. */
TRACKED int combine(const char *table, int shard, double weight)
{
    TOUCH();
    CHECK(weight == 0.5);
    return shard == 3 ? -1 : shard % 2 + (*table == 'b' ? 10 : 0);
}

static void say_combined(const char *table, int shard, int result)
{
    char labels[160];
    struct outcomes counts = {.success = result < 0 ? 0 : 30, .error = result < 0 ? 30 : 0};

    snprintf(labels, sizeof(labels), "function=\"combine\",table=\"%s\",shard=\"%d\",result=\"%d\"", table, shard,
             result);
    say_outcomes(labels, &counts);
}

static void combined(void)
{
    static const char *const tables[] = {"alpha", "beta"};

    for (int i = 0; i < 240; i++) {
        int result = combine(tables[i % 2], i / 2 % 4, 0.5);

        if (i < 8)
            say_combined(tables[i % 2], i / 2 % 4, result);
    }
    printf("series calls_total{function=\"combine\",outcome=\"success\",result=\"0\"} 2\n");
    printf("total calls_total{function=\"combine\"} 240\n");
}

/* Values 0 to 199; the i-th is given i + 1 times. */
static void many(void)
{
    enum {
        VALUES = 200
    };

    for (int i = 0; i < VALUES; i++)
        for (int round = 0; round <= i; round++)
            CHECK(by_int(i) == i);
    printf("total calls_total{function=\"by_int\"} %d\n", VALUES * (VALUES + 1) / 2);
}

/* 1200 values in the order of a shuffle. */
static void very_many(void)
{
    enum {
        VALUES = 1200
    };

    for (int i = 0; i < VALUES; i++) {
        int value = i * 7 % VALUES;

        CHECK(by_int(value) == value);
        printf("sample calls_total{function=\"by_int\",value=\"%d\",outcome=\"success\"} 1\n", value);
    }
    printf("series calls_active{function=\"by_int\"} %d\n", VALUES);
    say_sample("label_overflows_total", "function=\"by_int\",label=\"value\"", 0);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"integers", integers},
                                               {"rubbish", rubbish},
                                               {"pointers", pointers},
                                               {"floats", floats},
                                               {"registers", registers},
                                               {"stack", stack},
                                               {"results", results},
                                               {"combined", combined},
                                               {"many", many},
                                               {"very_many", very_many},
                                               {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
