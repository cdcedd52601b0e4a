/* symbols/values/condition.h: a table of conditions, and random ones against a plain evaluator. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/values/condition.h"

static uint64_t bits_of_double(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The high half is another value's: only the low one counts. */
static uint64_t bits_of_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits | UINT64_C(0xDEADBEEF) << 32;
}

static bool holds(const char *text, enum value_type returns, const struct condition_input *input)
{
    struct condition condition;
    struct diag diag = {""};
    size_t offset;
    bool result;

    if (condition_compile(text, returns, &condition, &offset, &diag))
        fail_msg("%s: %s", text, diag.text);
    result = condition_holds(&condition, input);
    condition_finish(&condition);
    return result;
}

static void integers_compare_in_their_width(void **state)
{
    static const struct {
        const char *text;
        enum value_type returns;
        uint64_t ret;
        bool holds;
    } cases[] = {
        {"ret < 0", VALUE_INT32, 0x00000000FFFFFFFF, true},
        {"ret < 0", VALUE_INT32, 0xFFFFFFFF00000000, false},
        {"ret < 0", VALUE_INT32, 0x7FFFFFFF, false},
        {"ret <= -2147483648", VALUE_INT32, 0x80000000, true},
        {"ret > 2147483646", VALUE_INT32, 0x7FFFFFFF, true},
        {"ret >= 0", VALUE_INT32, 0x80000000, false},
        {"ret != 0", VALUE_INT32, 0x100000000, false},
        {"ret == -1", VALUE_INT32, 0xFFFFFFFF, true},
        {"ret < 0", VALUE_INT64, 0x00000000FFFFFFFF, false},
        {"ret < 0", VALUE_INT64, 0x8000000000000000, true},
        {"ret == -9223372036854775808", VALUE_INT64, 0x8000000000000000, true},
        {"ret > 9223372036854775806", VALUE_INT64, 0x7FFFFFFFFFFFFFFF, true},
        {"ret > 2147483647", VALUE_UINT32, 0x80000000, true},
        {"ret == 0xFFFFFFFF", VALUE_UINT32, 0xFFFFFFFFFFFFFFFF, true},
        {"ret > 0x7fffffffffffffff", VALUE_UINT64, 0x8000000000000000, true},
        {"ret == 18446744073709551615", VALUE_UINT64, UINT64_MAX, true},
        {"ret >= 1", VALUE_UINT64, 0, false},
        {"ret == 0", VALUE_BOOL, 0xFFFFFFFFFFFFFF00, true},
        {"ret != 1", VALUE_BOOL, 0x100, true},
        {"ret == 1", VALUE_BOOL, 1, true},
        {"ret == null", VALUE_POINTER, 0, true},
        {"ret == null", VALUE_POINTER, 0x100000000, false},
        {"ret == -1", VALUE_POINTER, UINT64_MAX, true},
        {"ret >= -4095", VALUE_POINTER, (uint64_t)-22, true},
        {"ret >= -4095", VALUE_POINTER, 0x7FFF00000000, false},
        {"ret < -4095", VALUE_POINTER, 0x7FFF00000000, true},
        {"ret in (null, -1)", VALUE_POINTER, UINT64_MAX, true},
        {"ret in (null, -1)", VALUE_POINTER, 1, false},
        {"ret in (3, 1, 2, 7)", VALUE_INT32, 2, true},
        {"ret in (3, 1, 2, 7)", VALUE_INT32, 7, true},
        {"ret in (3, 1, 2, 7)", VALUE_INT32, 4, false},
        {"!(ret in (3, 1, 2, 7))", VALUE_INT32, 4, true},
        {"!(ret in (3, 1, 2, 7))", VALUE_INT32, 7, false},
        {"ret in (-1, 0)", VALUE_INT32, 0xFFFFFFFF, true},
        {"ret in (-1, 0)", VALUE_INT32, 1, false},
        {"ret == -0", VALUE_INT32, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct condition_input input = {.ret = cases[i].ret};

        if (holds(cases[i].text, cases[i].returns, &input) != cases[i].holds)
            fail_msg("%s with %#llx: not %d", cases[i].text, (unsigned long long)cases[i].ret, cases[i].holds);
    }
}

static void floating_point_compares_as_in_c(void **state)
{
    static const char *const texts[] = {"ret < 0",    "ret <= 0",   "ret == 0",        "ret != 0",   "ret > 0",
                                        "ret >= 0",   "ret < -1.5", "ret >= -1.5",     "ret == 1e3", "ret != 1e3",
                                        "!(ret < 1)", "ret <= 0.1", "ret in (0, 0.1)", "ret > 0x10"};
    static const double values[] = {0.0, -0.0, 1,      -1,      -1.5,     0.1,       1e3,
                                    16,  17,   1e-320, -1e-320, INFINITY, -INFINITY, NAN};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const double v = values[i];
        const bool expected[] = {v<0, v <= 0, v == 0, v != 0, v> 0,
                                 v >= 0,
                                 v < -1.5,
                                 v >= -1.5,
                                 v == 1e3,
                                 v != 1e3,
                                 !(v < 1),
                                 v <= 0.1,
                                 v == 0 || v == 0.1,
                                 v > 16};
        const struct condition_input wide = {.float_ret = bits_of_double(v)};
        const struct condition_input narrow = {.float_ret = bits_of_float((float)v)};

        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            if (holds(texts[j], VALUE_DOUBLE, &wide) != expected[j])
                fail_msg("%s with the double %g: not %d", texts[j], v, expected[j]);
            if (fabs(v) != 1e-320 && holds(texts[j], VALUE_FLOAT, &narrow) != expected[j])
                fail_msg("%s with the float %g: not %d", texts[j], v, expected[j]);
        }
    }
}

/* Not by way of a double, which would round twice: this is a little more than half way between two floats. */
static void constants_are_rounded_once(void **state)
{
    const struct condition_input above = {.float_ret = bits_of_float(0x1.000002p0F)};
    const struct condition_input below = {.float_ret = bits_of_float(1)};
    static const char text[] = "ret == 1.00000005960464477539062500000001";

    (void)state;
    assert_true(holds(text, VALUE_FLOAT, &above));
    assert_false(holds(text, VALUE_FLOAT, &below));
}

static void names_of_errno_are_those_of_linux(void **state)
{
    static const struct {
        const char *name;
        int number;
    } cases[] = {
        {"EPERM", EPERM},
        {"EAGAIN", EAGAIN},
        {"EWOULDBLOCK", EWOULDBLOCK},
        {"EDEADLK", EDEADLK},
        {"EINTR", EINTR},
        {"EDEADLOCK", EDEADLOCK},
        {"ENOTSUP", ENOTSUP},
        {"EOPNOTSUPP", EOPNOTSUPP},
        {"ETIMEDOUT", ETIMEDOUT},
        {"EINPROGRESS", EINPROGRESS},
        {"ERFKILL", ERFKILL},
        {"EHWPOISON", EHWPOISON},
        {"ERANGE", ERANGE},
        {"ENOTRECOVERABLE", ENOTRECOVERABLE},
        {"EBFONT", EBFONT},
        {"ELIBACC", ELIBACC},
        {"EMULTIHOP", EMULTIHOP},
        {"ESTRPIPE", ESTRPIPE},
        {"EXFULL", EXFULL},
        {"ENOKEY", ENOKEY},
        {"0", 0},
        {"11", 11},
        {"0xb", 11},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct condition_input same = {.error_number = cases[i].number};
        const struct condition_input other = {.error_number = cases[i].number + 1};
        char text[64];

        (void)snprintf(text, sizeof text, "errno == %s", cases[i].name);
        assert_true(holds(text, VALUE_VOID, &same));
        assert_false(holds(text, VALUE_VOID, &other));
    }
}

static void logic_binds_as_in_c(void **state)
{
    static const struct {
        const char *text;
        int ret;
        int error_number;
        bool holds;
    } cases[] = {
        {"ret == 1 || ret == 2 && errno == 5", 1, 0, true},
        {"ret == 1 || ret == 2 && errno == 5", 2, 0, false},
        {"ret == 1 || ret == 2 && errno == 5", 2, 5, true},
        {"(ret == 1 || ret == 2) && errno == 5", 1, 0, false},
        {"ret == 2 && errno == 5 || ret == 1", 1, 0, true},
        {"!ret == 1", 2, 0, true},
        {"!ret == 1 && errno == 5", 2, 0, false},
        {"!(ret == 1 && errno == 5)", 1, 4, true},
        {"!(ret == 1 && errno == 5)", 1, 5, false},
        {"!(ret == 1 || errno == 5)", 2, 4, true},
        {"!(ret == 1 || errno == 5)", 2, 5, false},
        {"!!(ret == 1 || !(errno == 5))", 2, 5, false},
        {"ret<0&&errno!=EINTR", -1, EIO, true},
        {"ret<0&&errno!=EINTR", -1, EINTR, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct condition_input input = {.ret = (uint64_t)cases[i].ret, .error_number = cases[i].error_number};

        if (holds(cases[i].text, VALUE_INT32, &input) != cases[i].holds)
            fail_msg("%s with ret %d, errno %d: not %d", cases[i].text, cases[i].ret, cases[i].error_number,
                     cases[i].holds);
    }
}

static void no_condition_never_holds(void **state)
{
    const struct condition_input input = {0};
    struct condition condition = {0};

    (void)state;
    assert_false(condition_holds(&condition, &input));
    condition_finish(&condition);
}

static void neighbours_in_a_list_are_one_test(void **state)
{
    struct condition condition;
    struct diag diag = {""};
    size_t offset;

    (void)state;
    assert_int_equal(
        condition_compile("errno in (EAGAIN, EWOULDBLOCK, ENOMEM, EPERM)", VALUE_INT32, &condition, &offset, &diag), 0);
    assert_int_equal(condition.count, 2);
    condition_finish(&condition);
}

static void errors_say_where(void **state)
{
    static const struct {
        const char *text;
        enum value_type returns;
        size_t offset;
        const char *message;
    } cases[] = {
        {"", VALUE_INT32, 0, "expected ret, errno, ! or (, found the end"},
        {"ret < ", VALUE_INT32, 6, "expected a whole number, found the end"},
        {"ret < 0 || x", VALUE_INT32, 11, "expected ret, errno, ! or (, found \"x\""},
        {"ret < 0 && errno == EAGIAN", VALUE_INT32, 20, "unknown errno \"EAGIAN\"; did you mean \"EAGAIN\"?"},
        {"errno == 1 && ret < 0", VALUE_VOID, 14, "the function returns void, so there is no ret"},
        {"retry < 0", VALUE_INT32, 0, "expected ret, errno, ! or (, found \"retry\""},
        {"errno_ == 1", VALUE_INT32, 0, "expected ret, errno, ! or (, found \"errno_\""},
        {"ret inside (1)", VALUE_INT32, 4, "expected one of == != < <= > >= in, found \"inside\""},
        {"(ret < 0", VALUE_INT32, 8, "expected &&, || or ), found the end"},
        {"ret == 2147483648", VALUE_INT32, 7, "2147483648 is out of range for int32 (-2147483648 to 2147483647)"},
        {"errno == 0 || ret < 0", VALUE_UINT64, 14, "ret < 0 never holds for uint64 (0 to 18446744073709551615)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct condition condition = {0};
        struct diag diag = {""};
        size_t offset = SIZE_MAX;

        assert_int_equal(condition_compile(cases[i].text, cases[i].returns, &condition, &offset, &diag), -EINVAL);
        assert_string_equal(diag.text, cases[i].message);
        assert_int_equal(offset, cases[i].offset);
        assert_null(condition.tests);
    }
}

/* Random conditions on an int: text and value are made side by side. */
struct generator {
    uint64_t seed;
    char text[4096];
    size_t used;
    int ret;
    int error_number;
};

static unsigned int draw(struct generator *generator, unsigned int below)
{
    generator->seed ^= generator->seed << 13;
    generator->seed ^= generator->seed >> 7;
    generator->seed ^= generator->seed << 17;
    return (unsigned int)(generator->seed >> 20) % below;
}

static void __attribute__((format(printf, 2, 3))) print(struct generator *generator, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    generator->used += (size_t)vsnprintf(generator->text + generator->used, sizeof generator->text - generator->used,
                                         format, arguments);
    va_end(arguments);
}

static bool make_list(struct generator *generator, int value, int low)
{
    const unsigned int count = 1 + draw(generator, 4);
    bool result = false;

    print(generator, " in (");
    for (unsigned int i = 0; i < count; i++) {
        const int constant = low + (int)draw(generator, 8);

        print(generator, "%s%d", i ? ", " : "", constant);
        result |= value == constant;
    }
    print(generator, ")");
    return result;
}

static bool make_comparison(struct generator *generator)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">="};
    const bool is_ret = draw(generator, 2);
    const int value = is_ret ? generator->ret : generator->error_number;
    const int low = is_ret ? -4 : 0;
    const int constant = low + (int)draw(generator, 8);
    const unsigned int operator_ = draw(generator, 7);
    const bool results[] = {value == constant, value != constant, value<constant, value <= constant, value> constant,
                            value >= constant};

    print(generator, is_ret ? "ret" : "errno");
    if (operator_ == 6)
        return make_list(generator, value, low);
    print(generator, " %s %d", operators[operator_], constant);
    return results[operator_];
}

static bool make_condition(struct generator *generator, int depth)
{
    const unsigned int shape = depth ? draw(generator, 4) : 3;
    bool left;
    bool right;

    if (shape == 3)
        return make_comparison(generator);
    print(generator, shape == 2 ? "!(" : "(");
    left = make_condition(generator, depth - 1);
    if (shape == 2) {
        print(generator, ")");
        return !left;
    }
    print(generator, shape ? " && " : " || ");
    right = make_condition(generator, depth - 1);
    print(generator, ")");
    return shape ? left && right : left || right;
}

static void random_conditions_agree_with_c(void **state)
{
    struct generator generator = {.seed = 42};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct condition_input input;
        bool expected;

        generator.used = 0;
        generator.ret = -5 + (int)draw(&generator, 10);
        generator.error_number = (int)draw(&generator, 9);
        input = (struct condition_input){.ret = (uint32_t)generator.ret, .error_number = generator.error_number};
        expected = make_condition(&generator, 5);
        if (holds(generator.text, VALUE_INT32, &input) != expected)
            fail_msg("%s with ret %d, errno %d: not %d", generator.text, generator.ret, generator.error_number,
                     expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_compare_in_their_width),
        cmocka_unit_test(floating_point_compares_as_in_c),
        cmocka_unit_test(constants_are_rounded_once),
        cmocka_unit_test(names_of_errno_are_those_of_linux),
        cmocka_unit_test(logic_binds_as_in_c),
        cmocka_unit_test(no_condition_never_holds),
        cmocka_unit_test(neighbours_in_a_list_are_one_test),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(random_conditions_agree_with_c),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
