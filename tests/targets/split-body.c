/* Functions whose test is taken into their callers, which then go to the body that was split off: what is counted at
 * the function is a part. Beside them functions that end in a jump too, and whose counts are whole. */
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED volatile int is_enabled = 1;
static volatile long total;

/* Big enough to stay in one piece, and with a test in front that is worth while to take into the callers. */
EXPORTED void sync_log(long number)
{
    if (!is_enabled)
        return;
    for (long i = 0; i < number; i++) {
        total += i ^ number;
        total ^= total << 3;
        total += total >> 7;
        if (total % 1001 == 3)
            fprintf(stderr, "%ld", total);
        if (total % 1003 == 5)
            fprintf(stderr, "%ld", total + 1);
        if (total % 1007 == 7)
            fprintf(stderr, "%ld", total + 2);
    }
}

__attribute__((noinline)) static long general(long number, long step)
{
    for (long i = 0; i < number; i += step)
        total += i;
    return total;
}

/* Covers of something more general, which others call too: each call of them comes by them. */
__attribute__((noinline)) EXPORTED long by_ones(long number)
{
    return general(number, 1);
}

__attribute__((noinline)) EXPORTED long by_twos(long number)
{
    return general(number, 2);
}

/* It has a body of its own, and ends in a jump. */
__attribute__((noinline)) EXPORTED long work(long number)
{
    by_ones(number);
    total += number;
    return general(number + 1, number);
}

__attribute__((noinline)) EXPORTED void call_twice(long number)
{
    sync_log(number);
    total++;
    sync_log(number + 1);
    total++;
}

int main(void)
{
    for (long i = 1; i < 100; i++) {
        call_twice(i);
        sync_log(i);
        work(i);
        by_twos(i);
        total += general(i, i + 1);
    }
    printf("%s\n", total ? "done" : "");
    return 0;
}
