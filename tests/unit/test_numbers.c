/* Numbers: canonical, shortest, and the same in every locale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/common/numbers.h"

static const struct {
    double value;
    const char *text;
    const char *bound;
} numbers[] = {
    {0, "0", "0.0"},
    {1, "1", "1.0"},
    {-1, "-1", "-1.0"},
    {0.5, "0.5", "0.5"},
    {2.5, "2.5", "2.5"},
    {10, "10", "10.0"},
    {100000, "100000", "100000.0"},
    {7200, "7200", "7200.0"},
    {123456, "123456", "123456.0"},
    {0.1, "0.1", "0.1"},
    {0.01, "0.01", "0.01"},
    {0.005, "0.005", "0.005"},
    {0.00025, "0.00025", "0.00025"},
    {0.0001, "0.0001", "0.0001"},
    {0.00001, "1e-05", "1e-05"},
    {0.000001, "1e-06", "1e-06"},
    {0.0000025, "2.5e-06", "2.5e-06"},
    {1e-9, "1e-09", "1e-09"},
    {1e-10, "1e-10", "1e-10"},
    {1e6, "1000000", "1e+06"},
    {1234567, "1234567", "1.234567e+06"},
    {1234567.5, "1.2345675e+06", "1.2345675e+06"},
    {1e10, "10000000000", "1e+10"},
    {1e22, "1e+22", "1e+22"},
    {123.456, "123.456", "123.456"},
    {100.25, "100.25", "100.25"},
    {0.30000000000000004, "0.30000000000000004", "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333", "0.3333333333333333"},
    {-0.125, "-0.125", "-0.125"},
    {9007199254740991, "9007199254740991", "9.007199254740991e+15"},
    {9007199254740992, "9.007199254740992e+15", "9.007199254740992e+15"},
    {18446744073709551616.0, "1.8446744073709552e+19", "1.8446744073709552e+19"},
    {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"},
    {DBL_MIN, "2.2250738585072014e-308", "2.2250738585072014e-308"},
    {DBL_TRUE_MIN, "5e-324", "5e-324"},
    {INFINITY, "+Inf", "+Inf"},
    {-INFINITY, "-Inf", "-Inf"},
    {NAN, "NaN", "NaN"},
    {-NAN, "NaN", "NaN"},
};

static void check_numbers(void)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char text[NUMBERS_BYTES];

        assert_int_equal(numbers_format_double(numbers[i].value, text), strlen(numbers[i].text));
        assert_string_equal(text, numbers[i].text);
        assert_int_equal(numbers_format_bound(numbers[i].value, text), strlen(numbers[i].bound));
        assert_string_equal(text, numbers[i].bound);
    }
}

static void numbers_are_canonical(void **state)
{
    (void)state;
    check_numbers();
}

/* With a decimal comma, and with one that is no ASCII character, in locales that are made here. */
static void the_locale_does_not_matter(void **state)
{
    static const char *const names[] = {"de_DE.ISO-8859-1", "ps_AF.UTF-8"};
    char folder[] = "/tmp/test_numbers.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    setenv("LOCPATH", folder, 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char command[256];
        bool is_made;

        snprintf(command, sizeof(command), "localedef -i %.5s -f %s %s/%s >/dev/null 2>&1", names[i], names[i] + 6,
                 folder, names[i]);
        is_made = system(command) == 0 && setlocale(LC_ALL, names[i]);
        snprintf(command, sizeof(command), "rm -r %s/*", folder);
        if (!is_made) {
            rmdir(folder);
            skip(); /* no locale sources on this machine */
        }
        assert_string_not_equal(localeconv()->decimal_point, ".");
        check_numbers();
        setlocale(LC_ALL, "C");
        assert_int_equal(system(command), 0);
    }
    rmdir(folder);
}

static void whole_numbers_are_exact(void **state)
{
    char text[NUMBERS_BYTES];

    (void)state;
    numbers_format_uint64(0, text);
    assert_string_equal(text, "0");
    assert_int_equal(numbers_format_uint64(UINT64_MAX, text), 20);
    assert_string_equal(text, "18446744073709551615");
    numbers_format_uint64((UINT64_C(1) << 53) + 1, text);
    assert_string_equal(text, "9007199254740993");
}

static void any_double_reads_back(void **state)
{
    uint64_t bits = UINT64_C(0x9E3779B97F4A7C15);

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char text[NUMBERS_BYTES];
        double value;
        double read;

        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        assert_true(numbers_format_double(value, text) < NUMBERS_BYTES);
        read = strtod(text, NULL);
        assert_memory_equal(&read, &value, sizeof(value));
        assert_true(numbers_format_bound(value, text) < NUMBERS_BYTES);
        read = strtod(text, NULL);
        assert_memory_equal(&read, &value, sizeof(value));
    }
}

static void integers_are_whole(void **state)
{
    char text[NUMBERS_BYTES];

    (void)state;
    assert_int_equal(numbers_format_int64(INT64_MIN, text), 20);
    assert_string_equal(text, "-9223372036854775808");
    assert_int_equal(numbers_format_int64(INT64_MAX, text), 19);
    assert_string_equal(text, "9223372036854775807");
    assert_int_equal(numbers_format_int64(0, text), 1);
    assert_string_equal(text, "0");
    assert_int_equal(numbers_format_hexadecimal(UINT64_MAX, text), 18);
    assert_string_equal(text, "0xffffffffffffffff");
    assert_int_equal(numbers_format_hexadecimal(0x10, text), 4);
    assert_string_equal(text, "0x10");
    assert_int_equal(numbers_format_hexadecimal(0, text), 3);
    assert_string_equal(text, "0x0");
}

/* Among all floats: those that step through the bits by an odd number. */
static void any_float_reads_back(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 20011) {
        uint32_t low = (uint32_t)bits;
        char text[NUMBERS_BYTES];
        float value;
        float read;

        memcpy(&value, &low, sizeof(value));
        if (!isfinite(value))
            continue;
        assert_true(numbers_format_float(value, text) < NUMBERS_BYTES);
        read = strtof(text, NULL);
        if (read < value || read > value)
            fail_msg("%a became %s", (double)value, text);
    }
}

static const struct {
    int64_t time;
    const char *text;
} dates[] = {
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
    {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
    {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
    {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
    {1735689600, "Wed, 01 Jan 2025 00:00:00 GMT"},
    {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
    {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
};

static void dates_are_those_of_http(void **state)
{
    char text[NUMBERS_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        assert_int_equal(numbers_format_http_date(dates[i].time, text), 29);
        assert_string_equal(text, dates[i].text);
    }
    for (time_t day = 0; day < 50000; day++) {
        char expected[NUMBERS_BYTES];
        time_t now = day * 86400 + day;
        struct tm fields;

        gmtime_r(&now, &fields);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &fields);
        numbers_format_http_date(now, text);
        assert_string_equal(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_canonical),   cmocka_unit_test(the_locale_does_not_matter),
        cmocka_unit_test(whole_numbers_are_exact), cmocka_unit_test(any_double_reads_back),
        cmocka_unit_test(integers_are_whole),      cmocka_unit_test(any_float_reads_back),
        cmocka_unit_test(dates_are_those_of_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
