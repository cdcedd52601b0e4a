/* How types of C and C++ are passed to functions on x86-64, told from DWARF. Private to symbols/debuginfo/. Context:
 * startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_PASS_H
#define CALLMETER_SYMBOLS_DEBUGINFO_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

struct diag;

/* Classes of an eightbyte (System V ABI, AMD64 supplement, 3.2.3). */
enum debuginfo_class {
    DEBUGINFO_CLASS_NONE,
    DEBUGINFO_CLASS_INTEGER,
    DEBUGINFO_CLASS_SSE,
    DEBUGINFO_CLASS_MEMORY,
};

enum debuginfo_way {
    DEBUGINFO_BY_NOTHING,   /* an empty struct: no argument at all */
    DEBUGINFO_BY_REGISTERS, /* one for each eightbyte, of its class, if there are enough of them; else in memory */
    DEBUGINFO_BY_MEMORY,    /* on the stack */
    DEBUGINFO_BY_REFERENCE, /* a C++ object that cannot be copied as bytes: a pointer to it in its place */
};

struct debuginfo_passing {
    enum debuginfo_way way;
    enum debuginfo_class classes[2]; /* of the eightbytes. One that continues the vector of the first is NONE */
    uint64_t bytes;
    uint64_t alignment;
    bool is_x87;                /* a result comes back in st0, whatever its size */
    bool is_alignment_disputed; /* it may be less, or 8 */
};

/* How a peeled type is passed. -ENOTSUP: it cannot be told, and the diag says why. */
int debuginfo_pass(Dwarf_Die *type, struct debuginfo_passing *ret_passing, struct diag *diag);

#endif
