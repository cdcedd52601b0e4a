/* Does a function read an argument that its callers may pass? LLVM's callers leave a register as it is where they see
 * that the function does not: what it then holds is nobody's value. */
#ifndef CALLMETER_SYMBOLS_PLAN_READS_H
#define CALLMETER_SYMBOLS_PLAN_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reads {
    READS_NEVER,   /* it is overwritten, or control returns, before anything reads it */
    READS_UNKNOWN, /* control leaves for code that cannot be seen, with the register as it was */
    READS_SURELY,  /* some way through the function, and what that calls, reads it */
};

/* The code at an address, and how many bytes are known to be code there; NULL: none. */
typedef const uint8_t *(*reads_code)(uint64_t address, size_t *ret_bytes, void *context);

/* Of the number-th (from 0) register of integer arguments, or of vectors, in the function that begins at `address`.
 * -ENOMEM is READS_UNKNOWN. Context: startup. */
enum reads reads_argument(uint64_t address, bool is_vector, unsigned number, reads_code code, void *context);

#endif
