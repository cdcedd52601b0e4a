#include "symbols/plan/spill.h"

#include <string.h>

#include <Zydis/Zydis.h>

enum {
    SPILL_INSTRUCTIONS_MAX = 64,
    SPILL_NONE = -1,
    SPILL_GENERAL = 16,
    SPILL_VECTORS = 8,
    SPILL_DEPTH_MAX = 1 << 24, /* of a frame that is believed */
};

/* What is known at an instruction. */
struct spill {
    int8_t general[SPILL_GENERAL]; /* by the number of the register: which argument it holds, or SPILL_NONE */
    int8_t vectors[SPILL_VECTORS];
    int64_t depth; /* rsp is that far below the return address */
    int64_t frame; /* rbp, if has_frame */
    bool has_frame;
};

static void spill_init(struct spill *spill)
{
    /* rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, ... (System V ABI, AMD64 supplement, figure 3.4) */
    static const int8_t arguments[SPILL_GENERAL] = {-1, 3, 2, -1, -1, -1, 1, 0, 4, 5, -1, -1, -1, -1, -1, -1};

    memset(spill, 0, sizeof(*spill));
    memcpy(spill->general, arguments, sizeof(arguments));
    for (int i = 0; i < SPILL_VECTORS; i++)
        spill->vectors[i] = (int8_t)i;
}

/* The place of what is known of a register; NULL: nothing ever is, as of ah. */
static int8_t *spill_of(struct spill *spill, ZydisRegister name, bool *ret_is_vector)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);

    *ret_is_vector = false;
    if (name >= ZYDIS_REGISTER_AH && name <= ZYDIS_REGISTER_BH)
        return NULL;
    if (whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15)
        return &spill->general[whole - ZYDIS_REGISTER_RAX];
    *ret_is_vector = true;
    if (whole >= ZYDIS_REGISTER_ZMM0 && whole < ZYDIS_REGISTER_ZMM0 + SPILL_VECTORS)
        return &spill->vectors[whole - ZYDIS_REGISTER_ZMM0];
    return NULL;
}

static bool spill_is_copy(const ZydisDecodedInstruction *instruction)
{
    switch (instruction->mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVSS:
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_MOVD:
    case ZYDIS_MNEMONIC_MOVQ:
    case ZYDIS_MNEMONIC_MOVLPS:
    case ZYDIS_MNEMONIC_MOVLPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVDQU:
        return true;
    default:
        return false;
    }
}

/* `and $1, %al` makes a bool of what a caller may have left more in. */
static bool spill_keeps_value(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    return instruction->mnemonic == ZYDIS_MNEMONIC_AND && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           operands[1].imm.value.u == 1;
}

static void spill_forget(struct spill *spill, ZydisRegister name)
{
    bool is_vector;
    int8_t *known;
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);

    if (name >= ZYDIS_REGISTER_AH && name <= ZYDIS_REGISTER_BH)
        name = whole;
    known = spill_of(spill, name, &is_vector);
    if (known)
        *known = SPILL_NONE;
    if (whole == ZYDIS_REGISTER_RBP)
        spill->has_frame = false;
}

/* What becomes of the registers that the instruction writes. */
static void spill_write(struct spill *spill, const ZydisDecodedInstruction *instruction,
                        const ZydisDecodedOperand *operands)
{
    int8_t *source = NULL;
    int8_t *target = NULL;
    bool is_source_vector = false;
    bool is_target_vector = true;
    int8_t moved = SPILL_NONE;

    if (spill_keeps_value(instruction, operands))
        return;
    if (spill_is_copy(instruction) && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        source = spill_of(spill, operands[1].reg.value, &is_source_vector);
        target = spill_of(spill, operands[0].reg.value, &is_target_vector);
        if (source && target && is_source_vector == is_target_vector)
            moved = *source;
    }
    for (size_t i = 0; i < instruction->operand_count; i++)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            spill_forget(spill, operands[i].reg.value);
    if (target && moved != SPILL_NONE)
        *target = moved;
}

/* Where a memory operand is, from the return address on. False: not known. */
static bool spill_address(const struct spill *spill, const ZydisDecodedOperand *operand, int64_t *ret_offset)
{
    if (operand->mem.index != ZYDIS_REGISTER_NONE || operand->mem.segment == ZYDIS_REGISTER_FS ||
        operand->mem.segment == ZYDIS_REGISTER_GS)
        return false;
    if (operand->mem.base == ZYDIS_REGISTER_RSP)
        *ret_offset = operand->mem.disp.value - spill->depth;
    else if (operand->mem.base == ZYDIS_REGISTER_RBP && spill->has_frame)
        *ret_offset = operand->mem.disp.value + spill->frame;
    else
        return false;
    return true;
}

static bool spill_is_register(const ZydisDecodedOperand *operand, ZydisRegister name)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->reg.value == name;
}

/* rsp and rbp. False: rsp is lost. */
static bool spill_follow_stack(struct spill *spill, const ZydisDecodedInstruction *instruction,
                               const ZydisDecodedOperand *operands)
{
    bool is_rsp = spill_is_register(&operands[0], ZYDIS_REGISTER_RSP);

    if (instruction->mnemonic == ZYDIS_MNEMONIC_PUSH) {
        spill->depth += 8;
        return instruction->operand_width == 64;
    }
    if (is_rsp && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
        (instruction->mnemonic == ZYDIS_MNEMONIC_SUB || instruction->mnemonic == ZYDIS_MNEMONIC_ADD)) {
        int64_t change = operands[1].imm.value.s;

        spill->depth += instruction->mnemonic == ZYDIS_MNEMONIC_SUB ? change : -change;
        return spill->depth >= 0 && spill->depth < SPILL_DEPTH_MAX;
    }
    spill_write(spill, instruction, operands);
    if (instruction->mnemonic == ZYDIS_MNEMONIC_MOV && spill_is_register(&operands[0], ZYDIS_REGISTER_RBP) &&
        spill_is_register(&operands[1], ZYDIS_REGISTER_RSP)) {
        spill->has_frame = true;
        spill->frame = -spill->depth;
    }
    for (size_t i = 0; i < instruction->operand_count; i++)
        if (spill_is_register(&operands[i], ZYDIS_REGISTER_RSP) &&
            (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            return false;
    return true;
}

/* Does the instruction store to the slot? `ret_byte`: the slot's first byte in what is stored. */
static bool spill_hits(const struct spill *spill, const ZydisDecodedInstruction *instruction,
                       const ZydisDecodedOperand *operands, const struct spill_slot *slot, int64_t *ret_byte)
{
    const ZydisDecodedOperand *memory = &operands[0];
    int64_t stored;

    if (instruction->operand_count == 0 || memory->type != ZYDIS_OPERAND_TYPE_MEMORY ||
        !(memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
        return false;
    if (slot->is_from_rsp && memory->mem.base == ZYDIS_REGISTER_RSP && memory->mem.index == ZYDIS_REGISTER_NONE)
        stored = memory->mem.disp.value;
    else if (slot->is_from_rsp || !spill_address(spill, memory, &stored))
        return false;
    *ret_byte = slot->offset - stored;
    return slot->offset < stored + (int64_t)(memory->size / 8) && stored < slot->offset + (int64_t)slot->bytes;
}

static bool spill_answer(struct spill *spill, const ZydisDecodedInstruction *instruction,
                         const ZydisDecodedOperand *operands, const struct spill_slot *slot, int64_t byte,
                         struct spill_register *ret_register)
{
    bool is_vector;
    const int8_t *known;

    if (byte < 0 || (uint64_t)byte + slot->bytes > operands[0].size / 8U || !spill_is_copy(instruction) ||
        operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    known = spill_of(spill, operands[1].reg.value, &is_vector);
    if (!known || *known == SPILL_NONE)
        return false;
    *ret_register = (struct spill_register){is_vector, (unsigned)*known, (unsigned)byte};
    return true;
}

/* Might the push of a register be what stores the slot? */
static bool spill_pushes(struct spill *spill, const ZydisDecodedOperand *operands, const struct spill_slot *slot)
{
    bool is_vector;
    const int8_t *known =
        operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? spill_of(spill, operands[0].reg.value, &is_vector) : NULL;
    int64_t pushed = -spill->depth - 8;

    if (slot->is_from_rsp)
        return known && *known != SPILL_NONE;
    return slot->offset < pushed + 8 && pushed < slot->offset + (int64_t)slot->bytes;
}

bool spill_find(const uint8_t *code, size_t bytes, const struct spill_slot *slot, struct spill_register *ret_register)
{
    ZydisDecoder decoder;
    struct spill spill;

    if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
        return false;
    spill_init(&spill);
    for (int i = 0; i < SPILL_INSTRUCTIONS_MAX; i++) {
        ZydisDecodedInstruction instruction;
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        int64_t byte;

        if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code, bytes, &instruction, operands)) ||
            instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || instruction.mnemonic == ZYDIS_MNEMONIC_RET)
            return false;
        if (instruction.mnemonic == ZYDIS_MNEMONIC_PUSH && spill_pushes(&spill, operands, slot))
            return false;
        if (spill_hits(&spill, &instruction, operands, slot, &byte))
            return spill_answer(&spill, &instruction, operands, slot, byte, ret_register);
        if (!spill_follow_stack(&spill, &instruction, operands))
            return false;
        code += instruction.length;
        bytes -= instruction.length;
    }
    return false;
}
