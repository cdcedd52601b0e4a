/* A namesake of a variable in variables.c. */
#include <stdint.h>

static __attribute__((used)) int32_t variables_twice = 2;
