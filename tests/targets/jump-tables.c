/* Functions that jump by tables, in every way that compilers know: absolute addresses and differences, of switches and
 * of labels whose address is taken, in constant and in writable data and on the stack. In some of them the first label
 * is the function's entry or lies close behind it, as the compiler and its options will have it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "victim.h"

enum {
    ROUNDS = 1000,
};

typedef const unsigned char *code;

static const unsigned char sums[] = {0, 1, 0, 0, 1, 2};
static long total;

TRACKED long by_label(code pc, long sum)
{
    static const void *const labels[] = {&&add, &&twice, &&end};
add:
    sum += 1;
    goto *labels[*pc++];
twice:
    sum *= 2;
    goto *labels[*pc++];
end:
    return sum;
}

TRACKED long by_difference(code pc, long sum)
{
    static const int labels[] = {&&add - &&add, &&twice - &&add, &&end - &&add};
add:
    sum += 1;
    goto *(&&add + labels[*pc++]);
twice:
    sum *= 2;
    goto *(&&add + labels[*pc++]);
end:
    return sum;
}

TRACKED long by_difference_to_last(code pc, long sum)
{
    static const int labels[] = {&&add - &&end, &&twice - &&end, &&end - &&end};
add:
    sum += 1;
    goto *(&&end + labels[*pc++]);
twice:
    sum *= 2;
    goto *(&&end + labels[*pc++]);
end:
    return sum;
}

TRACKED long by_long_difference(code pc, long sum)
{
    static const long labels[] = {&&add - &&add, &&twice - &&add, &&end - &&add};
add:
    sum += 1;
    goto *(&&add + labels[*pc++]);
twice:
    sum *= 2;
    goto *(&&add + labels[*pc++]);
end:
    return sum;
}

TRACKED long by_stack(code pc, long sum)
{
    const void *labels[] = {&&add, &&twice, &&end};
    __asm__ volatile("" : : "r"(labels) : "memory");
add:
    sum += 1;
    goto *labels[*pc++];
twice:
    sum *= 2;
    goto *labels[*pc++];
end:
    return sum;
}

TRACKED long by_writable(code pc, long sum)
{
    static const void *labels[] = {&&add, &&twice, &&end};
add:
    sum += 1;
    goto *labels[*pc++];
twice:
    sum *= 2;
    goto *labels[*pc++];
end:
    return sum;
}

/* Labels stand between other things. */
TRACKED long by_record(code pc, long sum)
{
    static const struct {
        const char *name;
        const void *label;
    } labels[] = {{"add", &&add}, {"twice", &&twice}, {"end", &&end}};
add:
    sum += 1;
    goto *labels[*pc++].label;
twice:
    sum *= 2;
    goto *labels[*pc++].label;
end:
    return sum;
}

/* The caller holds the labels: code that is threaded directly. */
TRACKED long by_pointer(const void *const *pc, long sum, const void **labels)
{
    if (labels) {
        labels[0] = &&add;
        labels[1] = &&twice;
        labels[2] = &&end;
        return 0;
    }
    goto **pc++;
add:
    sum += 1;
    goto **pc++;
twice:
    sum *= 2;
    goto **pc++;
end:
    return sum;
}

/* The first two bytes of the function are all there is in front of a label. */
TRACKED const char *skip(const char *text)
{
    static const void *const labels[] = {&&more, &&out, &&more, &&out2};
more:
    goto *labels[*text++ & 3];
out:
    return text;
out2:
    return text + 1;
}

/* The loop's head is the entry, and the table leads there. */
TRACKED long by_switch(code pc)
{
    for (;;)
        switch (*pc++) {
        case 0:
            return total;
        case 1:
            total += 7;
            return total;
        case 2:
            return total * 2;
        case 3:
            total ^= 1;
            return -total;
        case 4:
        case 5:
        case 6:
        case 8:
        case 9:
            break;
        case 7:
            return 99;
        case 10:
            return 1000;
        case 11:
            total = 3;
            return 5;
        default:
            return -5;
        }
}

TRACKED long by_working_switch(code pc, long sum)
{
    for (;;)
        switch (*pc++) {
        case 0:
            sum += 1;
            break;
        case 1:
            sum *= 2;
            break;
        case 2:
            return sum;
        case 3:
            sum -= 3;
            break;
        case 4:
            sum ^= 5;
            break;
        case 5:
            sum = -sum;
            break;
        }
}

/* Two switches, whose tables lie one behind the other. */
TRACKED int by_two_switches(int a, int b)
{
    switch (a) {
    case 0:
        total += 3;
        break;
    case 1:
        total ^= 9;
        break;
    case 2:
        total -= 4;
        break;
    case 3:
        total *= 3;
        break;
    case 4:
        total += b;
        break;
    case 5:
        total = -total;
        break;
    default:
        return 1;
    }
    switch (b) {
    case 0:
        return (int)(total += 5);
    case 1:
        return (int)(total ^= 6);
    case 2:
        return (int)(total -= 7);
    case 3:
        return (int)(total *= 5);
    case 4:
        return (int)(total += a);
    case 5:
        return 6;
    default:
        return 0;
    }
}

/* A table of functions that holds the function itself: each of its jumps is a call. */
TRACKED long by_function(code pc, long sum);
TRACKED long other_function(code pc, long sum);
TRACKED long last_function(code pc, long sum);
static long (*const functions[])(code, long) = {by_function, other_function, last_function};

long by_function(code pc, long sum)
{
    return functions[*pc](pc + 1, sum + 1);
}

long other_function(code pc, long sum)
{
    return functions[*pc](pc + 1, sum * 2);
}

long last_function(code pc, long sum)
{
    return sum + *pc;
}

/* Stands in for itself in a variable until it knows better. */
TRACKED long chosen(long sum);
TRACKED long dispatch(long sum);
static long (*implementation)(long) = dispatch;

long chosen(long sum)
{
    return sum ^ 3;
}

long dispatch(long sum)
{
    if (implementation == dispatch)
        implementation = chosen;
    return implementation(sum);
}

static void run_labels(long i)
{
    total += by_label(sums, i) + by_difference(sums, i) + by_difference_to_last(sums, i);
    total += by_long_difference(sums, i) + by_stack(sums, i) + by_writable(sums, i) + by_record(sums, i);
    total += skip("\4\4\2\2\1") != NULL;
}

static void run_pointer(long i)
{
    const void *labels[3];
    const void *threaded[sizeof(sums)];

    by_pointer(NULL, 0, labels);
    for (size_t at = 0; at < sizeof(sums); at++)
        threaded[at] = labels[sums[at]];
    total += by_pointer(threaded, i, NULL);
}

static void run_switches(long i)
{
    static const unsigned char ends[] = {4, 5, 6, 8, 9, 4, 1};
    static const unsigned char works[] = {0, 1, 3, 4, 5, 0, 2};
    static const unsigned char calls[] = {1, 0, 0, 1, 2, 9};

    total += by_switch(ends) + by_working_switch(works, i) + by_two_switches((int)(i % 7), (int)(i % 5));
    total += by_function(calls, i);
}

int main(void)
{
    static const char *const once[] = {"by_label",
                                       "by_difference",
                                       "by_difference_to_last",
                                       "by_long_difference",
                                       "by_stack",
                                       "by_writable",
                                       "by_record",
                                       "skip",
                                       "by_switch",
                                       "by_working_switch",
                                       "by_two_switches",
                                       "last_function"};

    for (long i = 0; i < ROUNDS; i++) {
        run_labels(i);
        run_pointer(i);
        run_switches(i);
        total &= 0xFFFFFF;
    }
    total += dispatch(1) + dispatch(2);
    printf("total %ld\n", total);
    for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++)
        printf("truth %s success=%d\n", once[i], ROUNDS);
    printf("truth by_pointer success=%d\n", 2 * ROUNDS);
    printf("truth by_function success=%d\n", 3 * ROUNDS);
    printf("truth other_function success=%d\n", 2 * ROUNDS);
    puts("truth dispatch success=2\ntruth chosen success=2");
    return victim_finish();
}
