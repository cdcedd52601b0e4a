/* Which argument the first instructions of a function store where: the places of parameters in code that is not
 * optimized are in the function's own frame, and what is stored there says where the caller passed them.
 *
 * Follows copies between registers up to the first instruction that may lead elsewhere. */
#ifndef CALLMETER_SYMBOLS_PLAN_SPILL_H
#define CALLMETER_SYMBOLS_PLAN_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the frame. */
struct spill_slot {
    bool is_from_rsp; /* `offset` is from where rsp is when it is stored, else from the return address */
    int64_t offset;
    size_t bytes; /* that are read there; at most 8 */
};

/* A register as it is at the function's beginning. */
struct spill_register {
    bool is_vector;
    unsigned number; /* of arguments, from 0 */
    unsigned byte;   /* of it, that lies at the slot's first */
};

/* Which register's bytes the slot gets. False: none of those that pass arguments, or it cannot be told. Context:
 * startup. */
bool spill_find(const uint8_t *code, size_t bytes, const struct spill_slot *slot, struct spill_register *ret_register);

#endif
