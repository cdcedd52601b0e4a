/* Namesakes of a static variable in variables.c, and of one that is not. */
#include <stdint.h>

static __attribute__((used)) int32_t variables_twice = 2;
static __attribute__((used)) int32_t variables_pool = 99;
