/* How a result is judged: by the trampoline, which knows one range of an integer result, and by C for the rest, against
 * the condition itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "planted.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/records/counters.h"
#include "symbols/common/diag.h"
#include "symbols/values/condition.h"

/* Values at the ends of what each type holds, with other bits above where those do not count. */
static const uint64_t ends[] = {
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fffffff,
    0x80000000,
    0xfffffffe,
    0xffffffff,
    0x100000000,
    0xdeadbeef00000000,
    0xdeadbeef00000001,
    0xdeadbeefffffffff,
    0xdeadbeef80000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xfffffffffffffffe,
    0xffffffffffffffff,
};

static void check_result(const char *text, const struct hook *hook, const struct condition *condition, uint64_t result)
{
    const struct condition_input input = {.ret = result, .error_number = errno};
    bool is_error = condition_holds(condition, &input);

    planted_call(hook, 0, 1, result);
    if (planted_word(CELL_ERROR) != is_error || planted_word(CELL_SUCCESS) != !is_error)
        fail_msg("error_when %s: a result of %#lx: %lu errors, %lu successes; expected: %s", text, result,
                 planted_word(CELL_ERROR), planted_word(CELL_SUCCESS), is_error ? "an error" : "a success");
    assert_int_equal(planted_word(CELL_STARTED), 1);
    planted_clear();
}

/* `center` is where the condition turns over. */
static void check_condition(const char *text, enum value_type returns, int64_t center)
{
    static const struct clock clock = {.seconds_per_tick = 1e-09};
    struct manifest_function function = {.returns = returns};
    struct diag diag = {""};
    const struct hook *hook;
    size_t offset;

    if (condition_compile(text, returns, &function.error_when, &offset, &diag) != 0)
        fail_msg("%s: %s", text, diag.text);
    hook = planted_hook_make(&function, &clock, 0);
    for (int64_t i = -3; i <= 3; i++) {
        check_result(text, hook, &function.error_when, (uint64_t)(center + i));
        check_result(text, hook, &function.error_when, (uint64_t)(center + i) ^ UINT64_C(0xa5a5a5a5) << 32);
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        check_result(text, hook, &function.error_when, ends[i]);
    condition_finish(&function.error_when);
}

static void results_are_judged_as_the_condition_says(void **state)
{
    static const char *const comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
    static const struct {
        enum value_type returns;
        int64_t centers[8];
        size_t count;
    } types[] = {
        {VALUE_INT32, {0, -1, 1, 5, -1000, 2147483000, -2147483000}, 7},
        {VALUE_UINT32, {1, 2, 5, 1000, 4294967000}, 5},
        {VALUE_INT64, {0, -1, 1, 5, -1000, INT64_MAX - 5, INT64_MIN + 5}, 7},
        {VALUE_UINT64, {1, 2, 5, 1000}, 4},
        {VALUE_POINTER, {1, 4096}, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        for (size_t j = 0; j < types[i].count; j++)
            for (size_t k = 0; k < 6; k++) {
                char text[64];

                snprintf(text, sizeof(text), "ret %s %ld", comparisons[k], types[i].centers[j]);
                check_condition(text, types[i].returns, types[i].centers[j]);
            }
}

static void so_are_conditions_of_several_comparisons(void **state)
{
    static const struct {
        const char *text;
        enum value_type returns;
        int64_t center;
    } cases[] = {
        {"ret == 1", VALUE_BOOL, 0},
        {"ret != 0", VALUE_BOOL, 0},
        {"ret in (3)", VALUE_INT32, 3},
        {"ret in (3, 5)", VALUE_INT32, 4},
        {"ret in (3, 4, 5)", VALUE_INT64, 4},
        {"!(ret in (3, 4))", VALUE_INT32, 4},
        {"ret > -4 && ret < 4", VALUE_INT32, 0},
        {"ret < -4 || ret > 4", VALUE_INT64, 4},
        {"!(ret >= 0)", VALUE_INT32, 0},
        {"ret < 0 && errno == EAGAIN", VALUE_INT32, 0},
        {"ret < 0 && errno != EAGAIN", VALUE_INT32, 0},
        {"ret == null", VALUE_POINTER, 0},
        {"ret != null", VALUE_POINTER, 0},
    };

    (void)state;
    errno = EAGAIN;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_condition(cases[i].text, cases[i].returns, cases[i].center);
}

static int setup(void **state)
{
    static struct segment_header segment;

    /* Where C code looks for errno. */
    counters_init(&segment, (char *)&errno - (char *)cpu_thread_pointer());
    return planted_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_judged_as_the_condition_says),
        cmocka_unit_test(so_are_conditions_of_several_comparisons),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
