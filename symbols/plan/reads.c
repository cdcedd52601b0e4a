#include "symbols/plan/reads.h"

#include <stdlib.h>

#include <Zydis/Zydis.h>

enum {
    READS_PLACES_MAX = 1024, /* where ways through the code begin */
    READS_INSTRUCTIONS_MAX = 8192,
};

/* A search over all ways that control may take from the entry. */
struct reads_search {
    ZydisDecoder decoder;
    ZydisRegister wanted; /* the largest one that encloses it */
    reads_code code;
    void *context;
    uint64_t *places; /* seen, in the order that they were met; those from `next` on are to be followed */
    size_t count;
    size_t next;
    size_t instructions;
    enum reads found;
};

static void reads_add(struct reads_search *search, uint64_t address)
{
    for (size_t i = 0; i < search->count; i++)
        if (search->places[i] == address)
            return;
    if (search->count == READS_PLACES_MAX) {
        search->found = READS_UNKNOWN;
        return;
    }
    search->places[search->count++] = address;
}

static bool reads_is_wanted(const struct reads_search *search, ZydisRegister name)
{
    return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name) == search->wanted;
}

/* `xor %esi, %esi` and its like set a register whatever it held. */
static bool reads_is_clearing(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    switch (instruction->mnemonic) {
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_XORPS:
    case ZYDIS_MNEMONIC_XORPD:
    case ZYDIS_MNEMONIC_PXOR:
    case ZYDIS_MNEMONIC_VXORPS:
    case ZYDIS_MNEMONIC_VPXOR:
        break;
    default:
        return false;
    }
    return operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && instruction->operand_count > 1 &&
           operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == operands[1].reg.value;
}

/* What an instruction does to the register. */
struct reads_use {
    bool is_read;
    bool is_written; /* all that a value of it could be in */
};

static struct reads_use reads_use_of(const struct reads_search *search, const ZydisDecodedInstruction *instruction,
                                     const ZydisDecodedOperand *operands)
{
    struct reads_use use = {false, false};
    bool is_clearing = reads_is_clearing(instruction, operands);

    for (size_t i = 0; i < instruction->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];

        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && instruction->mnemonic != ZYDIS_MNEMONIC_NOP)
            use.is_read |= reads_is_wanted(search, operand->mem.base) || reads_is_wanted(search, operand->mem.index);
        if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER || !reads_is_wanted(search, operand->reg.value))
            continue;
        use.is_read |= !is_clearing && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
        use.is_written |= (operand->actions & ZYDIS_OPERAND_ACTION_WRITE) && operand->size >= 32;
        use.is_written |= is_clearing;
    }
    return use;
}

/* Where a relative branch leads, through `ret_target`. */
static bool reads_target(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands, uint64_t here,
                         uint64_t *ret_target)
{
    return operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative &&
           ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(instruction, &operands[0], here, ret_target));
}

/* Control leaves the straight way. False: nothing follows behind the instruction. A call takes the register with it: no
 * value that the caller passed is in it when it returns. */
static bool reads_follow(struct reads_search *search, const ZydisDecodedInstruction *instruction,
                         const ZydisDecodedOperand *operands, uint64_t here)
{
    uint64_t target;

    switch (instruction->meta.category) {
    case ZYDIS_CATEGORY_RET:
        return false;
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
        if (reads_target(instruction, operands, here, &target))
            reads_add(search, target);
        else
            search->found = READS_UNKNOWN;
        return instruction->meta.category == ZYDIS_CATEGORY_COND_BR;
    default:
        return instruction->mnemonic != ZYDIS_MNEMONIC_UD2 && instruction->mnemonic != ZYDIS_MNEMONIC_HLT &&
               instruction->mnemonic != ZYDIS_MNEMONIC_INT3;
    }
}

/* Goes on from a place to where the register has another value. */
static void reads_walk(struct reads_search *search, uint64_t address)
{
    size_t bytes;
    const uint8_t *code = search->code(address, &bytes, search->context);

    if (!code)
        search->found = READS_UNKNOWN;
    while (code && search->found != READS_SURELY) {
        ZydisDecodedInstruction instruction;
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        struct reads_use use;

        if (++search->instructions > READS_INSTRUCTIONS_MAX ||
            ZYAN_FAILED(ZydisDecoderDecodeFull(&search->decoder, code, bytes, &instruction, operands))) {
            search->found = READS_UNKNOWN;
            return;
        }
        use = reads_use_of(search, &instruction, operands);
        if (use.is_read)
            search->found = READS_SURELY;
        if (use.is_read || use.is_written || !reads_follow(search, &instruction, operands, address))
            return;
        address += instruction.length;
        code += instruction.length;
        bytes -= instruction.length;
    }
}

enum reads reads_argument(uint64_t address, bool is_vector, unsigned number, reads_code code, void *context)
{
    static const ZydisRegister integers[] = {ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
                                             ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9};
    struct reads_search search = {.code = code, .context = context};

    if (number >= (is_vector ? 8 : sizeof(integers) / sizeof(*integers)) ||
        ZYAN_FAILED(ZydisDecoderInit(&search.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
        return READS_UNKNOWN;
    search.wanted = is_vector ? (ZydisRegister)(ZYDIS_REGISTER_ZMM0 + (int)number) : integers[number];
    search.places = calloc(READS_PLACES_MAX, sizeof(*search.places));
    if (!search.places)
        return READS_UNKNOWN;
    search.found = READS_NEVER;
    reads_add(&search, address);
    while (search.next < search.count && search.found != READS_SURELY && search.instructions < READS_INSTRUCTIONS_MAX) {
        enum reads before = search.found;

        search.found = READS_NEVER;
        reads_walk(&search, search.places[search.next++]);
        search.found = search.found > before ? search.found : before;
    }
    free(search.places);
    return search.found;
}
