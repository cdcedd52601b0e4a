/* Conditions on a finished call (`ret < 0 && errno in (EAGAIN, EINTR)`), compiled to a table of range tests.
 *
 * The result is plain data, shared with the hot path: no pointer but to its own table, so that it can be evaluated
 * without libc, allocation or floating-point registers. */
#ifndef CALLMETER_SYMBOLS_VALUES_CONDITION_H
#define CALLMETER_SYMBOLS_VALUES_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

/* Types of results and arguments, as the manifest names them. */
enum value_type {
    VALUE_VOID,
    VALUE_BOOL,
    VALUE_INT32,
    VALUE_UINT32,
    VALUE_INT64,
    VALUE_UINT64,
    VALUE_POINTER,
    VALUE_FLOAT,
    VALUE_DOUBLE,
    VALUE_CSTRING, /* of arguments only */
};

/* Where a test takes its 64-bit key from. */
enum condition_source {
    CONDITION_RET8,   /* the low byte of the integer result, 0 or 1 */
    CONDITION_RET32,  /* the low 32 bits of the integer result */
    CONDITION_RET64,  /* all of the integer result */
    CONDITION_ERRNO,  /* errno as the call left it, 32 bits */
    CONDITION_FLOAT,  /* condition_float_key of the floating-point result's low 32 bits */
    CONDITION_DOUBLE, /* condition_double_key of its low 64 bits */
};

enum {
    CONDITION_FALSE = 0xFFFE, /* in place of a next index: the condition does not hold */
    CONDITION_TRUE = 0xFFFF,  /* it holds */
};

/* Holds if (key - low) <= span, unsigned, in the width of the source: one shape for every comparison, signed or not. */
struct condition_test {
    uint64_t low;
    uint64_t span;
    uint16_t source; /* enum condition_source */
    uint16_t on_true;
    uint16_t on_false; /* index of the test to go on with (always a later one), or CONDITION_FALSE or CONDITION_TRUE */
};

/* Evaluation begins at test 0. A count of 0 stands for "no condition": it never holds. */
struct condition {
    struct condition_test *tests;
    uint16_t count;
};

struct condition_input {
    uint64_t ret;       /* rax */
    uint64_t float_ret; /* low 64 bits of xmm0 */
    int error_number;
};

/* Maps the bits of a double so that unsigned order is numerical order and -0 equals +0; a NaN lies outside [-inf,
 * +inf]. */
static inline uint64_t condition_double_key(uint64_t bits)
{
    const uint64_t sign = UINT64_C(1) << 63;

    if (bits == sign)
        bits = 0;
    return (bits & sign) ? ~bits : bits | sign;
}

/* The same for a float. */
static inline uint32_t condition_float_key(uint32_t bits)
{
    const uint32_t sign = UINT32_C(1) << 31;

    if (bits == sign)
        bits = 0;
    return (bits & sign) ? ~bits : bits | sign;
}

static inline bool condition_test_holds(const struct condition_test *test, const struct condition_input *input)
{
    switch (test->source) {
    case CONDITION_RET8:
        return (uint8_t)((uint8_t)input->ret - (uint8_t)test->low) <= (uint8_t)test->span;
    case CONDITION_RET32:
        return (uint32_t)((uint32_t)input->ret - (uint32_t)test->low) <= (uint32_t)test->span;
    case CONDITION_ERRNO:
        return (uint32_t)((uint32_t)input->error_number - (uint32_t)test->low) <= (uint32_t)test->span;
    case CONDITION_FLOAT:
        return (uint32_t)(condition_float_key((uint32_t)input->float_ret) - (uint32_t)test->low) <=
               (uint32_t)test->span;
    case CONDITION_DOUBLE:
        return condition_double_key(input->float_ret) - test->low <= test->span;
    default:
        return input->ret - test->low <= test->span;
    }
}

/* Context: hot; no libc, no floating point. Ends: every step goes to a later test. */
static inline bool condition_holds(const struct condition *condition, const struct condition_input *input)
{
    uint16_t next = condition->count ? 0 : CONDITION_FALSE;

    while (next < condition->count) {
        const struct condition_test *test = &condition->tests[next];

        next = condition_test_holds(test, input) ? test->on_true : test->on_false;
    }
    return next == CONDITION_TRUE;
}

/* Compiles text for a function that returns `returns`. On success the caller owns ret_condition->tests
 * (condition_finish). On failure: -EINVAL (the diag says what was expected, *ret_offset is the byte in text where) or
 * -ENOMEM. Context: startup. */
int condition_compile(const char *text, enum value_type returns, struct condition *ret_condition, size_t *ret_offset,
                      struct diag *diag);

/* True if some test looks at the result. */
static inline bool condition_asks_result(const struct condition *condition)
{
    for (uint16_t i = 0; i < condition->count; i++)
        if (condition->tests[i].source != CONDITION_ERRNO)
            return true;
    return false;
}

/* Frees the table. Takes a zeroed condition. Context: startup. */
void condition_finish(struct condition *condition);

#endif
