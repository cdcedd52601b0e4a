/* Calls that nest deeply, with and without stack. */
#include "victim.h"

#include <stdint.h>
#include <stdlib.h>

TRACKED uint64_t descend(unsigned depth)
{
    uint64_t below;

    TOUCH();
    below = depth ? descend(depth - 1) : 0;
    TOUCH();
    return below + depth;
}

/* Calls itself twice: a tree of calls. */
TRACKED unsigned fibonacci(unsigned n)
{
    unsigned sum;

    if (n < 2)
        return n;
    sum = fibonacci(n - 1) + fibonacci(n - 2);
    TOUCH();
    return sum;
}

/* Compiled to jumps: each call returns straight to the first caller. */
TRACKED int is_odd(unsigned n);
TRACKED int is_even(unsigned n)
{
    TOUCH();
    return n ? is_odd(n - 1) : 1;
}

TRACKED int is_odd(unsigned n)
{
    TOUCH();
    return n ? is_even(n - 1) : 0;
}

static void deep(void)
{
    CHECK(descend(100000) == UINT64_C(5000050000));
    printf("truth descend success=100001\n");
}

static void deep_again(void)
{
    for (int i = 0; i < 20; i++)
        CHECK(descend(20000) == UINT64_C(200010000));
    printf("truth descend success=400020\n");
}

static void tree(void)
{
    unsigned calls = 2 * 10946 - 1; /* 2 * fibonacci(n + 1) - 1 */

    CHECK(fibonacci(20) == 6765);
    printf("truth fibonacci success=%u\n", calls);
}

static void tail(void)
{
    for (unsigned i = 0; i < 1000; i++)
        CHECK(is_even(i) == (i % 2 == 0));
    printf("truth is_even success=250500\n");
    printf("truth is_odd success=250000\n");
}

/* A loop in the dress of tail calls: more calls "in progress" than anything could keep a record of. */
static void endless_tail(void)
{
    CHECK(is_even(3000000) == 1);
    printf("truth is_even success=1500001\n");
    printf("truth is_odd success=1500000\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"deep", deep}, {"deep-again", deep_again},     {"tree", tree},
        {"tail", tail}, {"endless-tail", endless_tail}, {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
