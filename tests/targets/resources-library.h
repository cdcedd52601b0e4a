/* What resources-library.c offers. */
#ifndef CALLMETER_TESTS_RESOURCES_LIBRARY_H
#define CALLMETER_TESTS_RESOURCES_LIBRARY_H

#include <stdint.h>

extern int64_t library_level;

void library_raise(int by);

#endif
