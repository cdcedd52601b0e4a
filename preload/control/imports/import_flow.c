#include "preload/control/imports/import_flow.h"

#include <Zydis/Zydis.h>

enum {
    INSTRUCTIONS_MAX = 2048, /* looked at; beyond that there is doubt */
    SEEN_MAX = 2 * INSTRUCTIONS_MAX,
};

/* The ways that lie before us, and where we have been. */
struct flow {
    ZydisDecoder decoder;
    const struct import_table *table;
    const uint8_t *code;
    const uint8_t *code_end;
    ZydisRegister holder; /* 64 bits wide */
    const uint8_t *ways[INSTRUCTIONS_MAX];
    size_t way_count;
    const uint8_t *seen[SEEN_MAX]; /* a hash table */
    size_t seen_count;
};

/* What an instruction does with the register that holds the address. */
enum fate {
    FATE_KEPT,
    FATE_GONE, /* it holds something else from here on */
    FATE_TAKEN,
};

static bool is_holder(const struct flow *flow, ZydisRegister name)
{
    return name != ZYDIS_REGISTER_NONE &&
           ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name) == flow->holder;
}

static bool is_kept_by_calls(ZydisRegister name)
{
    return name == ZYDIS_REGISTER_RBX || name == ZYDIS_REGISTER_RBP ||
           (name >= ZYDIS_REGISTER_R12 && name <= ZYDIS_REGISTER_R15);
}

static bool is_argument(ZydisRegister name)
{
    return name == ZYDIS_REGISTER_RDI || name == ZYDIS_REGISTER_RSI || name == ZYDIS_REGISTER_RDX ||
           name == ZYDIS_REGISTER_RCX || name == ZYDIS_REGISTER_R8 || name == ZYDIS_REGISTER_R9;
}

static bool is_result(ZydisRegister name)
{
    return name == ZYDIS_REGISTER_RAX || name == ZYDIS_REGISTER_RDX;
}

/* False when there are too many. */
static bool add_way(struct flow *flow, const uint8_t *at)
{
    size_t place = (uintptr_t)at * 0x9e3779b1u % SEEN_MAX;

    while (flow->seen[place]) {
        if (flow->seen[place] == at)
            return true;
        place = (place + 1) % SEEN_MAX;
    }
    if (flow->seen_count == INSTRUCTIONS_MAX || at < flow->code || at >= flow->code_end)
        return false;
    flow->seen[place] = at;
    flow->seen_count++;
    flow->ways[flow->way_count++] = at;
    return true;
}

/* On to the next instruction, unless another function begins there: then a call in front of it does not return. */
static bool add_next(struct flow *flow, const uint8_t *at)
{
    return import_table_is_start(flow->table, (uintptr_t)at) || add_way(flow, at);
}

/* xor and sub of a register with itself: only nominally do they read it. */
static bool is_clearing(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    return (instruction->mnemonic == ZYDIS_MNEMONIC_XOR || instruction->mnemonic == ZYDIS_MNEMONIC_SUB) &&
           operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == operands[1].reg.value &&
           operands[0].size >= 32;
}

/* Instructions that look at the address and do not keep it. */
static bool is_test(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    if (instruction->mnemonic == ZYDIS_MNEMONIC_TEST)
        return operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == operands[1].reg.value;
    return instruction->mnemonic == ZYDIS_MNEMONIC_CMP && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           operands[1].imm.value.s == 0;
}

static bool is_test_of_holder(const struct flow *flow, const ZydisDecodedInstruction *instruction,
                              const ZydisDecodedOperand *operands)
{
    return is_test(instruction, operands) && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           operands[0].reg.value == flow->holder;
}

static enum fate fate_of_operand(const struct flow *flow, const ZydisDecodedInstruction *instruction,
                                 const ZydisDecodedOperand *operands, size_t index)
{
    const ZydisDecodedOperand *operand = &operands[index];
    bool is_written = (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;

    if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
        return is_holder(flow, operand->mem.base) || is_holder(flow, operand->mem.index) ? FATE_TAKEN : FATE_KEPT;
    if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER || !is_holder(flow, operand->reg.value))
        return FATE_KEPT;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
        return is_written || !is_test(instruction, operands) ? FATE_TAKEN : FATE_KEPT;
    /* A conditional write, or one of 8 or 16 bits, leaves the rest. */
    return operand->actions & ZYDIS_OPERAND_ACTION_WRITE && operand->size >= 32 ? FATE_GONE : FATE_TAKEN;
}

/* Registers that are read and written at once were read first. */
static enum fate fate_of(const struct flow *flow, const ZydisDecodedInstruction *instruction,
                         const ZydisDecodedOperand *operands)
{
    enum fate fate = FATE_KEPT;

    if (is_clearing(instruction, operands))
        return is_holder(flow, operands[0].reg.value) ? FATE_GONE : FATE_KEPT;
    for (size_t i = 0; i < instruction->operand_count; i++) {
        enum fate next = fate_of_operand(flow, instruction, operands, i);

        fate = next > fate ? next : fate;
    }
    return fate;
}

static bool is_through_holder(const struct flow *flow, const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->reg.value == flow->holder;
}

/* A call of the function itself may give it what it is called with, but not in a register that the call would lose. */
static enum fate fate_of_call(const struct flow *flow, const ZydisDecodedOperand *target)
{
    if (target->type == ZYDIS_OPERAND_TYPE_MEMORY &&
        (is_holder(flow, target->mem.base) || is_holder(flow, target->mem.index)))
        return FATE_TAKEN;
    if (is_kept_by_calls(flow->holder))
        return FATE_KEPT;
    return is_through_holder(flow, target) && !is_argument(flow->holder) ? FATE_GONE : FATE_TAKEN;
}

/* Jumps through a register or memory leave the function, or lead to one of many places in it. */
static enum fate fate_of_far_jump(const struct flow *flow, const ZydisDecodedOperand *target)
{
    bool is_import = target->type == ZYDIS_OPERAND_TYPE_MEMORY && target->mem.base == ZYDIS_REGISTER_RIP;

    if (is_through_holder(flow, target))
        return is_argument(flow->holder) ? FATE_TAKEN : FATE_GONE;
    return is_import && !is_argument(flow->holder) ? FATE_GONE : FATE_TAKEN;
}

static bool follow_branch(struct flow *flow, const ZydisDecodedInstruction *instruction,
                          const ZydisDecodedOperand *target, const uint8_t *at)
{
    const uint8_t *next = at + instruction->length;
    bool is_jump = instruction->mnemonic == ZYDIS_MNEMONIC_JMP;

    if (target->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return is_jump && fate_of_far_jump(flow, target) == FATE_GONE;
    return add_way(flow, next + target->imm.value.s) && (is_jump || add_next(flow, next));
}

/* A test whether there is a function at all. Where there is none, the register holds 0, which nobody can compare with
 * anything. */
static bool follow_test(struct flow *flow, const uint8_t *next)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_FAILED(
            ZydisDecoderDecodeFull(&flow->decoder, next, (size_t)(flow->code_end - next), &instruction, operands)))
        return false;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_JZ)
        return add_next(flow, next + instruction.length);
    if (instruction.mnemonic == ZYDIS_MNEMONIC_JNZ)
        return add_way(flow, next + instruction.length + operands[0].imm.value.s);
    return add_next(flow, next);
}

/* Looks at one instruction, and adds where it goes on. False: the address is taken. */
static bool follow(struct flow *flow, const uint8_t *at)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    enum fate fate;

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&flow->decoder, at, (size_t)(flow->code_end - at), &instruction, operands)))
        return false;
    switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
        fate = fate_of_call(flow, &operands[0]);
        break;
    case ZYDIS_CATEGORY_RET:
        return !is_result(flow->holder);
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
        return follow_branch(flow, &instruction, &operands[0], at);
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_INTERRUPT:
        return false;
    default:
        fate = fate_of(flow, &instruction, operands);
    }
    if (fate == FATE_KEPT && is_test_of_holder(flow, &instruction, operands))
        return follow_test(flow, at + instruction.length);
    if (fate == FATE_KEPT)
        return add_next(flow, at + instruction.length);
    return fate == FATE_GONE;
}

/* The register that `mov slot(%rip), register` loads, and the instruction's length. */
static ZydisRegister loaded_register(const ZydisDecoder *decoder, const uint8_t *load, size_t bytes, size_t *ret_length)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, load, bytes, &instruction, operands)) ||
        instruction.mnemonic != ZYDIS_MNEMONIC_MOV || operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return ZYDIS_REGISTER_NONE;
    *ret_length = instruction.length;
    return operands[0].reg.value;
}

bool import_flow_is_called(const struct import_table *table, const uint8_t *code, size_t code_bytes,
                           const uint8_t *load)
{
    struct flow flow = {.table = table, .code = code, .code_end = code + code_bytes};
    size_t length;

    ZydisDecoderInit(&flow.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    flow.holder = loaded_register(&flow.decoder, load, (size_t)(flow.code_end - load), &length);
    if (flow.holder == ZYDIS_REGISTER_NONE || !add_way(&flow, load + length))
        return false;
    while (flow.way_count > 0)
        if (!follow(&flow, flow.ways[--flow.way_count]))
            return false;
    return true;
}
