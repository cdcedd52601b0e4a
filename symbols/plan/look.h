/* A look at one instruction: how long it is, where it may lead, which registers it may touch. For scans of whole
 * functions. Private to symbols/plan/.
 *
 * A full decoding by Zydis takes 0.1 to 0.2 us, which is too much for every instruction of a large program. The plain
 * encodings that make up nine tenths of compiled code are read from two tables here; for all others Zydis is asked.
 * Knows nothing of plans. */
#ifndef CALLMETER_SYMBOLS_PLAN_LOOK_H
#define CALLMETER_SYMBOLS_PLAN_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

enum look_kind {
    LOOK_PLAIN,  /* control goes on behind it */
    LOOK_BRANCH, /* conditional and relative: jcc, jrcxz, loop, xbegin */
    LOOK_JUMP,   /* unconditional and relative */
    LOOK_CALL,   /* relative */
    LOOK_CALL_INDIRECT,
    LOOK_JUMP_INDIRECT,
    LOOK_RETURN, /* any ret, near or far, and iret */
    LOOK_STOP,   /* ud2, hlt, int3: control does not go on behind it */
};

/* Numbers of general registers, as instructions encode them, and of things that are none. */
enum {
    LOOK_RBX = 3,
    LOOK_RSP = 4,
    LOOK_RBP = 5,
    LOOK_RIP = 16,
    LOOK_NO_REGISTER = 17,
};

struct look {
    uint8_t length;
    uint8_t kind;       /* enum look_kind */
    uint8_t base;       /* of the memory operand; LOOK_RIP, LOOK_NO_REGISTER */
    bool has_index;     /* the memory operand has an index register */
    bool is_address;    /* lea: the memory operand is not accessed */
    bool has_immediate; /* of 4 or 8 bytes, so that it may be an address */
    int32_t disp;       /* of the memory operand */
    int32_t relative;   /* of a relative branch: target - end of the instruction */
    uint64_t immediate; /* one of 4 bytes is not sign-extended */
    uint32_t registers; /* bit n: general register n may be an operand or part of an address. Never misses one */
    uint32_t operands;  /* the same, without those that are only part of an address. Implicit uses of rsp included, but
                           not that of a call or return */
};

/* Looks at the instruction in the first of `bytes` bytes (any number). False: they are no instruction, or not all of
 * one. Context: startup. */
bool look_at(const ZydisDecoder *decoder, const uint8_t *code, size_t bytes, struct look *ret_look);

/* The two halves of look_at, for tests: from the tables alone (false: not a plain encoding), and by Zydis alone. What
 * the first says of an instruction, the second says too, except that `registers` and `operands` may hold more. */
bool look_at_plain(const uint8_t *code, size_t bytes, struct look *ret_look);
bool look_at_any(const ZydisDecoder *decoder, const uint8_t *code, size_t bytes, struct look *ret_look);

#endif
