#include "report-library.h"

#define TOUCH() __asm__ volatile("" ::: "memory")

__attribute__((noinline)) static int nameless(int (*function)(int), int value)
{
    int result = function(value) * 2;

    TOUCH();
    return result;
}

__attribute__((noinline)) static int nameless_fault(const int *pointer, int value)
{
    value *= *pointer;
    TOUCH();
    return value;
}

int library_calls(int (*function)(int), int value)
{
    int result = nameless(function, value) + 1;

    TOUCH();
    return result;
}

int library_faults(const int *pointer, int value)
{
    int result = nameless_fault(pointer, value) + 1;

    TOUCH();
    return result;
}
