#include "symbols/plan/look.h"

#include <string.h>

/* What a table says of an opcode. 0: ask Zydis. */
enum {
    PLAIN = 1 << 0, /* may be read here */
    MODRM = 1 << 1,
    IMM8 = 1 << 2,
    IMMZ = 1 << 3,      /* 4 bytes; 2 with an operand-size prefix */
    BYTE = 1 << 4,      /* register operands are bytes: without REX, 4 to 7 are ah, ch, dh, bh */
    IN_OPCODE = 1 << 5, /* the low three bits of the opcode are a register */
    REL8 = 1 << 6,
    REL32 = 1 << 7,
    NO_66 = 1 << 8,   /* with this prefix ask Zydis */
    WITH_F3 = 1 << 9, /* this one may be there; without the flag ask Zydis */
    WITH_F2 = 1 << 10,
    ONLY_66 = 1 << 11, /* one of 66 and, where allowed, F2 and F3 must be there */
    MEMORY = 1 << 12,  /* the operand in ModRM must be memory */
    STACK = 1 << 13,   /* pushes or pops */
    IMM64 = 1 << 14,   /* IMMZ, but 8 bytes with REX.W */
    STRING = 1 << 15,  /* implicit rcx, rsi, rdi, rax */

    M = PLAIN | MODRM,
    MB = PLAIN | MODRM | BYTE,
    SSE = PLAIN | MODRM | WITH_F2 | WITH_F3,
    SSE_NONE_66 = PLAIN | MODRM,
    SSE_66 = PLAIN | MODRM | ONLY_66,
};

#define ARITHMETIC(at)                                                                                                 \
    [(at)] = MB, [(at) + 1] = M, [(at) + 2] = MB, [(at) + 3] = M, [(at) + 4] = PLAIN | IMM8, [(at) + 5] = PLAIN | IMMZ

static const uint16_t one_byte[256] = {
    ARITHMETIC(0x00),
    ARITHMETIC(0x08),
    ARITHMETIC(0x10),
    ARITHMETIC(0x18),
    ARITHMETIC(0x20),
    ARITHMETIC(0x28),
    ARITHMETIC(0x30),
    ARITHMETIC(0x38),
    [0x50 ... 0x5F] = PLAIN | IN_OPCODE | STACK | NO_66,
    [0x63] = M | NO_66,
    [0x68] = PLAIN | IMMZ | STACK | NO_66,
    [0x69] = M | IMMZ,
    [0x6A] = PLAIN | IMM8 | STACK | NO_66,
    [0x6B] = M | IMM8,
    [0x70 ... 0x7F] = PLAIN | REL8 | NO_66,
    [0x80] = MB | IMM8,
    [0x81] = M | IMMZ,
    [0x83] = M | IMM8,
    [0x84] = MB,
    [0x85] = M,
    [0x86] = MB,
    [0x87] = M,
    [0x88] = MB,
    [0x89] = M,
    [0x8A] = MB,
    [0x8B] = M,
    [0x8D] = M | MEMORY,
    [0x90] = PLAIN | WITH_F3,
    [0x98] = PLAIN,
    [0x99] = PLAIN,
    [0xA4 ... 0xA7] = PLAIN | STRING | WITH_F2 | WITH_F3,
    [0xA8] = PLAIN | IMM8,
    [0xA9] = PLAIN | IMMZ,
    [0xAA ... 0xAF] = PLAIN | STRING | WITH_F2 | WITH_F3,
    [0xB0 ... 0xB7] = PLAIN | IN_OPCODE | BYTE | IMM8,
    [0xB8 ... 0xBF] = PLAIN | IN_OPCODE | IMM64,
    [0xC0] = MB | IMM8,
    [0xC1] = M | IMM8,
    [0xC3] = PLAIN | WITH_F3 | NO_66,
    [0xC6] = MB | IMM8,
    [0xC7] = M | IMMZ,
    [0xC9] = PLAIN | STACK | NO_66,
    [0xD0] = MB,
    [0xD1] = M,
    [0xD2] = MB,
    [0xD3] = M,
    [0xE8] = PLAIN | REL32 | NO_66,
    [0xE9] = PLAIN | REL32 | NO_66,
    [0xEB] = PLAIN | REL8 | NO_66,
    [0xF6] = MB,
    [0xF7] = M,
    [0xFE] = MB,
    [0xFF] = M | NO_66,
};

static const uint16_t two_byte[256] = {
    [0x10 ... 0x11] = SSE,
    [0x12] = SSE_NONE_66 | MEMORY,
    [0x13] = SSE_NONE_66 | MEMORY,
    [0x14 ... 0x15] = SSE_NONE_66,
    [0x16 ... 0x17] = SSE_NONE_66 | MEMORY,
    [0x1F] = M,
    [0x28 ... 0x29] = SSE_NONE_66,
    [0x2A] = SSE | ONLY_66 | NO_66,
    [0x2C ... 0x2D] = SSE | ONLY_66 | NO_66,
    [0x2E ... 0x2F] = SSE_NONE_66,
    [0x40 ... 0x4F] = M,
    [0x51] = SSE,
    [0x54 ... 0x57] = SSE_NONE_66,
    [0x58 ... 0x5A] = SSE,
    [0x5C ... 0x5F] = SSE,
    [0x60 ... 0x6E] = SSE_66,
    [0x6F] = SSE_66 | WITH_F3,
    [0x70] = SSE_66 | WITH_F2 | WITH_F3 | IMM8,
    [0x74 ... 0x76] = SSE_66,
    [0x7E ... 0x7F] = SSE_66 | WITH_F3,
    [0x80 ... 0x8F] = PLAIN | REL32 | NO_66,
    [0x90 ... 0x9F] = MB,
    [0xA3] = M,
    [0xA4] = M | IMM8,
    [0xA5] = M,
    [0xAB] = M,
    [0xAC] = M | IMM8,
    [0xAD] = M,
    [0xAF] = M,
    [0xB0] = MB,
    [0xB1] = M,
    [0xB3] = M,
    [0xB6] = MB,
    [0xB7] = M,
    [0xBB] = M,
    [0xBC ... 0xBD] = M | WITH_F3,
    [0xBE] = MB,
    [0xBF] = M,
    [0xC0] = MB,
    [0xC1] = M,
    [0xC6] = SSE_NONE_66 | IMM8,
    [0xC8 ... 0xCF] = PLAIN | IN_OPCODE | NO_66,
    [0xD1 ... 0xD6] = SSE_66,
    [0xD8 ... 0xE5] = SSE_66,
    [0xE8 ... 0xEF] = SSE_66,
    [0xF1 ... 0xF6] = SSE_66,
    [0xF8 ... 0xFE] = SSE_66,
};

enum {
    ANY_REGISTER = 0xFFFF,
    MODRM_REG_SHIFT = 3,
};

/* The bytes in front of an instruction's operands. */
struct opcode {
    const uint8_t *next; /* behind the opcode */
    const uint8_t *end;
    uint8_t rex; /* 0: none */
    uint8_t byte;
    bool is_two_byte;
    bool has_66;
    bool has_f2;
    bool has_f3;
    uint16_t form;
};

static uint32_t register_bit(unsigned number, bool is_extended)
{
    return UINT32_C(1) << (number | (is_extended ? 8U : 0U));
}

/* Reads prefixes and opcode; false: not a plain one. */
static bool read_opcode(const uint8_t *code, size_t bytes, struct opcode *ret_opcode)
{
    struct opcode opcode = {.next = code, .end = code + (bytes < 15 ? bytes : 15)};

    for (; opcode.next < opcode.end; opcode.next++) {
        if (*opcode.next == 0x66 && !opcode.has_66)
            opcode.has_66 = true;
        else if (*opcode.next == 0xF2 && opcode.next == code)
            opcode.has_f2 = true;
        else if (*opcode.next == 0xF3 && opcode.next == code)
            opcode.has_f3 = true;
        else
            break;
    }
    if (opcode.next < opcode.end && (*opcode.next & 0xF0) == 0x40)
        opcode.rex = *opcode.next++;
    if (opcode.next < opcode.end && *opcode.next == 0x0F) {
        opcode.is_two_byte = true;
        opcode.next++;
    }
    if (opcode.next >= opcode.end)
        return false;
    opcode.byte = *opcode.next++;
    opcode.form = (opcode.is_two_byte ? two_byte : one_byte)[opcode.byte];
    *ret_opcode = opcode;
    return opcode.form & PLAIN;
}

static bool prefixes_are_plain(const struct opcode *opcode)
{
    if (opcode->rex && opcode->byte == 0x90 && !opcode->is_two_byte)
        return false; /* xchg with r8 */
    if (opcode->has_66 && ((opcode->form & NO_66) || opcode->has_f2 || opcode->has_f3))
        return false;
    if ((opcode->has_f2 && !(opcode->form & WITH_F2)) || (opcode->has_f3 && !(opcode->form & WITH_F3)))
        return false;
    return !(opcode->form & ONLY_66) || opcode->has_66 || opcode->has_f2 || opcode->has_f3;
}

/* A register that ModRM or the opcode names directly. */
static uint32_t operand_bit(const struct opcode *opcode, unsigned number, uint8_t rex_bit)
{
    if ((opcode->form & BYTE) && !opcode->rex && number >= 4)
        return register_bit(number - 4, false) | register_bit(number, false);
    return register_bit(number, opcode->rex & rex_bit);
}

static bool read_memory(struct opcode *opcode, uint8_t modrm, struct look *look)
{
    unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7;
    size_t disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    unsigned base = rm;

    if (rm == LOOK_RSP) {
        if (opcode->next >= opcode->end)
            return false;

        uint8_t sib = *opcode->next++;
        unsigned index = ((sib >> 3) & 7U) | ((opcode->rex & 2) ? 8U : 0U);

        base = sib & 7;
        look->has_index = index != LOOK_RSP;
        if (look->has_index)
            look->registers |= UINT32_C(1) << index;
    }
    if (mod == 0 && base == LOOK_RBP) {
        disp_bytes = 4;
        look->base = rm == LOOK_RBP ? LOOK_RIP : LOOK_NO_REGISTER;
    } else {
        look->base = (uint8_t)(base | ((opcode->rex & 1) ? 8U : 0U));
        look->registers |= UINT32_C(1) << look->base;
    }
    if ((size_t)(opcode->end - opcode->next) < disp_bytes)
        return false;
    if (disp_bytes == 1)
        look->disp = (int8_t)*opcode->next;
    else if (disp_bytes == 4)
        memcpy(&look->disp, opcode->next, 4);
    opcode->next += disp_bytes;
    return true;
}

/* Opcodes whose ModRM holds a part of the opcode: gives the form for that part, 0 if it is not a plain one. */
static uint16_t group_form(const struct opcode *opcode, unsigned part)
{
    if (opcode->is_two_byte)
        return opcode->form;
    switch (opcode->byte) {
    case 0xC6:
    case 0xC7:
        return part == 0 ? opcode->form : 0;
    case 0xD0 ... 0xD3:
        return part != 6 ? opcode->form : 0;
    case 0xF6:
        return part >= 2 ? opcode->form : part == 0 ? opcode->form | IMM8 : 0;
    case 0xF7:
        return part >= 2 ? opcode->form : part == 0 ? opcode->form | IMMZ : 0;
    case 0xFE:
        return part <= 1 ? opcode->form : 0;
    case 0xFF:
        return part <= 2 || part == 4 ? opcode->form : part == 6 ? opcode->form | STACK : 0;
    default:
        return opcode->form;
    }
}

static bool read_modrm(struct opcode *opcode, struct look *look)
{
    if (opcode->next >= opcode->end)
        return false;

    uint8_t modrm = *opcode->next++;
    unsigned reg = (modrm >> MODRM_REG_SHIFT) & 7;

    opcode->form = group_form(opcode, reg);
    if (!opcode->form || ((opcode->form & MEMORY) && modrm >= 0xC0))
        return false;
    look->operands |= operand_bit(opcode, reg, 4);
    if (!opcode->is_two_byte && opcode->byte == 0xFF && (reg == 2 || reg == 4))
        look->kind = reg == 2 ? LOOK_CALL_INDIRECT : LOOK_JUMP_INDIRECT;
    if (!opcode->is_two_byte && (opcode->byte == 0xF6 || opcode->byte == 0xF7) && reg >= 4)
        look->operands |= register_bit(0, false) | register_bit(2, false); /* mul, div: rax, rdx */
    if (modrm < 0xC0)
        return read_memory(opcode, modrm, look);
    look->operands |= operand_bit(opcode, modrm & 7, 1);
    return true;
}

static bool read_immediate(struct opcode *opcode, struct look *look)
{
    size_t bytes = 0;

    if (opcode->form & (IMM8 | REL8))
        bytes = 1;
    else if (opcode->form & REL32)
        bytes = 4;
    else if ((opcode->form & IMM64) && (opcode->rex & 8))
        bytes = 8;
    else if (opcode->form & (IMMZ | IMM64))
        bytes = opcode->has_66 && !(opcode->rex & 8) ? 2 : 4;
    if ((size_t)(opcode->end - opcode->next) < bytes)
        return false;
    if (opcode->form & REL8)
        look->relative = (int8_t)*opcode->next;
    else if (opcode->form & REL32)
        memcpy(&look->relative, opcode->next, 4);
    else if (bytes >= 4) {
        look->has_immediate = true;
        memcpy(&look->immediate, opcode->next, bytes);
    }
    opcode->next += bytes;
    return true;
}

static void note_kind(const struct opcode *opcode, struct look *look)
{
    if (opcode->is_two_byte) {
        if (opcode->form & REL32)
            look->kind = LOOK_BRANCH;
        return;
    }
    switch (opcode->byte) {
    case 0xE8:
        look->kind = LOOK_CALL;
        break;
    case 0xE9:
    case 0xEB:
        look->kind = LOOK_JUMP;
        break;
    case 0xC3:
        look->kind = LOOK_RETURN;
        break;
    case 0x8D:
        look->is_address = true;
        break;
    default:
        if (opcode->form & REL8)
            look->kind = LOOK_BRANCH;
    }
}

static void note_registers(const struct opcode *opcode, struct look *look)
{
    if (opcode->form & IN_OPCODE)
        look->operands |= operand_bit(opcode, opcode->byte & 7, 1);
    if (opcode->form & STACK)
        look->operands |= register_bit(LOOK_RSP, false);
    if (!opcode->is_two_byte && opcode->byte == 0xC9)
        look->operands |= register_bit(LOOK_RBP, false);
    if (opcode->form & STRING)
        look->operands |= 0xC3; /* rax, rcx, rsi, rdi */
    if (!(opcode->form & (MODRM | IN_OPCODE | STRING)))
        look->operands |= 5; /* the short forms of rax; cdq writes rdx */
    if (opcode->is_two_byte && (opcode->byte == 0xA5 || opcode->byte == 0xAD))
        look->operands |= 2; /* cl */
    if (!opcode->is_two_byte && (opcode->byte & ~1) == 0xD2)
        look->operands |= 2;
    if (opcode->is_two_byte && (opcode->byte & ~1) == 0xB0)
        look->operands |= 1; /* cmpxchg: rax */
    look->registers |= look->operands;
}

bool look_at_plain(const uint8_t *code, size_t bytes, struct look *ret_look)
{
    struct opcode opcode;
    struct look look = {.base = LOOK_NO_REGISTER};

    if (!read_opcode(code, bytes, &opcode) || !prefixes_are_plain(&opcode))
        return false;
    if ((opcode.form & MODRM) && !read_modrm(&opcode, &look))
        return false;
    if (!read_immediate(&opcode, &look))
        return false;
    note_kind(&opcode, &look);
    note_registers(&opcode, &look);
    look.length = (uint8_t)(opcode.next - code);
    *ret_look = look;
    return true;
}

static unsigned register_number(ZydisRegister name)
{
    ZydisRegister whole;

    if (name == ZYDIS_REGISTER_RIP || name == ZYDIS_REGISTER_EIP)
        return LOOK_RIP;
    whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name);
    if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
        return LOOK_NO_REGISTER;
    return (unsigned)(whole - ZYDIS_REGISTER_RAX);
}

static uint32_t general_bit(ZydisRegister name)
{
    unsigned number = register_number(name);

    return number < LOOK_RIP ? UINT32_C(1) << number : 0;
}

static enum look_kind kind_of(const ZydisDecodedInstruction *instruction)
{
    bool is_relative = instruction->raw.imm[0].is_relative;

    switch (instruction->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return is_relative ? LOOK_CALL : LOOK_CALL_INDIRECT;
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (instruction->mnemonic == ZYDIS_MNEMONIC_XABORT)
            return LOOK_PLAIN; /* outside of a transaction it does nothing */
        return is_relative ? LOOK_JUMP : LOOK_JUMP_INDIRECT;
    case ZYDIS_CATEGORY_RET:
        return LOOK_RETURN;
    default:
        break;
    }
    switch (instruction->mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_INT3:
        return LOOK_STOP;
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_UIRET:
        return LOOK_RETURN;
    default:
        return is_relative ? LOOK_BRANCH : LOOK_PLAIN;
    }
}

static void note_operand(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operand,
                         struct look *look)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        bool is_flow = look->kind != LOOK_PLAIN && operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

        if (!is_flow || operand->reg.value != ZYDIS_REGISTER_RSP)
            look->operands |= general_bit(operand->reg.value);
        return;
    }
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return;
    if (operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN || instruction->mnemonic == ZYDIS_MNEMONIC_XLAT)
        look->registers |= general_bit(operand->mem.base) | general_bit(operand->mem.index);
    else if (look->kind == LOOK_PLAIN)
        look->operands |= general_bit(operand->mem.base) | general_bit(operand->mem.index);
    if (operand->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT || look->base != LOOK_NO_REGISTER)
        return;
    look->base = (uint8_t)register_number(operand->mem.base);
    look->has_index = operand->mem.index != ZYDIS_REGISTER_NONE;
    look->is_address = operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
    look->disp = (int32_t)operand->mem.disp.value;
}

bool look_at_any(const ZydisDecoder *decoder, const uint8_t *code, size_t bytes, struct look *ret_look)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct look look = {.base = LOOK_NO_REGISTER};

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, code, bytes, &instruction, operands)))
        return false;
    look.length = instruction.length;
    look.kind = (uint8_t)kind_of(&instruction);
    if (instruction.raw.imm[0].is_relative)
        look.relative = (int32_t)instruction.raw.imm[0].value.s;
    look.has_immediate = !instruction.raw.imm[0].is_relative && instruction.raw.imm[0].size >= 32;
    if (look.has_immediate)
        look.immediate = instruction.raw.imm[0].size == 32 ? (uint32_t)instruction.raw.imm[0].value.u
                                                           : instruction.raw.imm[0].value.u;
    for (size_t i = 0; i < instruction.operand_count; i++)
        note_operand(&instruction, &operands[i], &look);
    look.registers |= look.operands;
    *ret_look = look;
    return true;
}

bool look_at(const ZydisDecoder *decoder, const uint8_t *code, size_t bytes, struct look *ret_look)
{
    return look_at_plain(code, bytes, ret_look) || look_at_any(decoder, code, bytes, ret_look);
}
