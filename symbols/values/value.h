/* Where a value of a call is in the machine: what a manifest's `arg`, `farg`, `ret` and `param` come to. Plain data. */
#ifndef CALLMETER_SYMBOLS_VALUES_VALUE_H
#define CALLMETER_SYMBOLS_VALUES_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbols/values/condition.h"

/* System V ABI, AMD64 supplement, 3.2.3 "Parameter Passing". */
enum value_place {
    VALUE_IN_REGISTER, /* number 0 to 5: rdi, rsi, rdx, rcx, r8, r9; from 6 on: the (number - 6)-th 8-byte word above
                          the return address. Floating-point values may lie there too */
    VALUE_IN_VECTOR,   /* number 0 to 7: the low 16 bytes of xmm0 to xmm7 */
    VALUE_RESULT,      /* rax, or the low bytes of xmm0 for VALUE_FLOAT and VALUE_DOUBLE; known at the end only */
};

enum {
    VALUE_STACK_WORD_FIRST = 6, /* number of the first word on the stack */
};

/* `bytes` bytes, little-endian, at `offset` in the place (is_memory false; they never cross an 8-byte word), or in
 * memory at (the 8 bytes of the place) + offset, which need not be readable.
 *
 * VALUE_CSTRING: those 8 bytes are a pointer to the string; with string_bytes > 0, which is_memory goes with, the
 * string itself begins there and ends with a NUL or after that many bytes. */
struct value_location {
    uint8_t place; /* enum value_place */
    uint8_t number;
    uint8_t
        type; /* enum value_type; VALUE_VOID: the value cannot be had. What is narrower than 8 bytes is extended: with
                 its sign for VALUE_INT32 and VALUE_INT64, else with zeros; for VALUE_BOOL any byte but 0 is true */
    uint8_t bytes; /* 1, 2, 4 or 8 */
    bool is_memory;
    uint16_t string_bytes;
    int64_t offset;
};

/* 1, 4 or 8; of a string those of its pointer. */
uint8_t value_type_bytes(enum value_type type);

/* Float or double. */
static inline bool value_type_is_floating(enum value_type type)
{
    return type == VALUE_FLOAT || type == VALUE_DOUBLE;
}

/* "int32", "char *": for people; static. */
const char *value_type_name(enum value_type type);

enum {
    VALUE_TEXT_BYTES = 96
};

/* "argument 2, char *", "argument 1 -> offset 16, uint32", "floating-point argument 1, double", "result, int32": for
 * people. Writes to `text` (VALUE_TEXT_BYTES of the caller's) and returns it. */
const char *value_text(const struct value_location *location, char *text);

#endif
