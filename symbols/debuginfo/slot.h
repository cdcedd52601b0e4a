/* Where each argument of a function goes by the calling convention, one after the other (System V ABI, AMD64
 * supplement, 3.2.3). Private to symbols/debuginfo/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_SLOT_H
#define CALLMETER_SYMBOLS_DEBUGINFO_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>

#include "symbols/debuginfo/pass.h"

struct diag;
struct value_location;

enum {
    DEBUGINFO_WORD = 8,
    DEBUGINFO_INTEGER_REGISTERS = 6,
    DEBUGINFO_VECTOR_REGISTERS = 8,
};

/* Where one argument goes, and where the next one will. */
struct debuginfo_slot {
    unsigned integers; /* registers taken before it */
    unsigned vectors;
    uint64_t stack; /* bytes taken before it; of one on the stack, where it is */
    bool is_on_stack;
    bool is_stack_disputed; /* from here on, where things lie on the stack is not certain */
    struct debuginfo_passing passing;
};

/* Before the first argument: the address where a large result goes takes the first register. -ENOTSUP: the result is of
 * a kind of which that cannot be told. */
int debuginfo_slot_init(Dwarf_Die *function, struct debuginfo_slot *slot, struct diag *diag);

/* Chooses between the registers that are left and the stack, for an argument whose `passing` is set. */
void debuginfo_slot_take(struct debuginfo_slot *slot);

/* Moves on behind an argument. */
void debuginfo_slot_next(struct debuginfo_slot *slot);

/* Where the byte `offset` of an argument is: register, vector or stack word, and which byte of it. -ENOTSUP. */
int debuginfo_slot_place(const struct debuginfo_slot *slot, uint64_t offset, struct value_location *location,
                         struct diag *diag);

#endif
