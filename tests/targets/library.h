/* A small library for victim programs to call into. */
#ifndef CALLMETER_TESTS_LIBRARY_H
#define CALLMETER_TESTS_LIBRARY_H

/* Calls library_apply's callback once for each of 0 .. count-1 and returns the sum. */
long library_sum(int (*callback)(int), int count);

int library_apply(int (*callback)(int), int value);

/* -1 and errno EAGAIN for each third value, EIO for each fifth, else the value. */
int library_read(int value);

#endif
