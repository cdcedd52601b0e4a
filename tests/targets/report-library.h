/* A library that is stripped of all names but those of its two functions. */
#ifndef CALLMETER_TESTS_REPORT_LIBRARY_H
#define CALLMETER_TESTS_REPORT_LIBRARY_H

__attribute__((visibility("default"))) int library_calls(int (*function)(int), int value);
__attribute__((visibility("default"))) int library_faults(const int *pointer, int value);

#endif
