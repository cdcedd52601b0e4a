#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "symbols/common/diag.h"
#include "symbols/plan/plan.h"

/* How an instruction of the window is written elsewhere. */
enum shape {
    SHAPE_COPY,          /* as it is, with the displacement of a rip-relative operand corrected */
    SHAPE_JUMP,          /* jmp rel32 */
    SHAPE_BRANCH,        /* jcc rel32 */
    SHAPE_HOP,           /* loop or jrcxz over two hops, since they have no rel32 form */
    SHAPE_CALL,          /* push the original return address, jmp rel32 */
    SHAPE_CALL_INDIRECT, /* push the original return address, jmp through register or memory */
};

enum {
    PUSH_BYTES = 8, /* what a call or push takes of the stack */
};

/* One instruction of the window, decoded. */
struct source {
    const struct patch_plan *plan;
    const uint8_t *code;
    uint64_t address; /* of the instruction, in the original place */
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* The copy while it is written. */
struct sink {
    struct plan_relocated *relocated;
    uint64_t address;  /* of the copy's first byte */
    size_t literal_at; /* where a return address lies, behind the code */
    uint64_t literal;  /* 0: there is no call */
    bool is_final;     /* the second pass: all offsets are known */
    int error;
    struct diag *diag;
};

static void fail(struct sink *sink, int error, const char *what, uint64_t address)
{
    if (sink->error)
        return;
    sink->error = error;
    diag_set(sink->diag, "%s 0x%" PRIx64 " %s", what, address,
             error == -ERANGE ? "is out of reach from the copy" : "cannot be rewritten for another address");
}

static uint64_t address_of_next(const struct sink *sink)
{
    return sink->address + sink->relocated->code_bytes;
}

static void put(struct sink *sink, const uint8_t *bytes, size_t count)
{
    if (sink->relocated->code_bytes + count > PLAN_RELOCATED_BYTES_MAX) {
        fail(sink, -ENOTSUP, "the window at", sink->address);
        return;
    }
    memcpy(sink->relocated->code + sink->relocated->code_bytes, bytes, count);
    sink->relocated->code_bytes += count;
}

static void put_byte(struct sink *sink, uint8_t byte)
{
    put(sink, &byte, 1);
}

/* A displacement to `target` that is counted from `trailing` bytes behind itself. */
static void put_displacement(struct sink *sink, uint64_t target, size_t trailing, const char *what)
{
    int64_t distance = (int64_t)(target - (address_of_next(sink) + 4 + trailing));
    int32_t displacement = (int32_t)distance;
    uint8_t bytes[4];

    if (sink->is_final && displacement != distance)
        fail(sink, -ERANGE, what, target);
    memcpy(bytes, &displacement, sizeof(bytes));
    put(sink, bytes, sizeof(bytes));
}

static uint64_t relative_target(const struct source *source)
{
    return source->address + source->instruction.length + (uint64_t)source->instruction.raw.imm[0].value.s;
}

/* Where a jump of the window leads to after the move: jumps inside the window stay inside the copy. */
static uint64_t moved_target(const struct sink *sink, const struct source *source)
{
    const struct patch_plan *plan = source->plan;
    uint64_t target = relative_target(source);
    uint64_t offset = target - plan->address;

    if (target == plan->address - plan->skip_bytes)
        offset = 0; /* endbr64 is a no-operation for a direct jump */
    for (size_t i = 0; i < plan->instruction_count; i++)
        if (plan->instructions[i].offset == offset)
            return sink->address + sink->relocated->offsets[i];
    return target;
}

static bool has_prefix(const struct source *source, uint8_t value)
{
    for (size_t i = 0; i < source->instruction.raw.prefix_count; i++)
        if (source->instruction.raw.prefixes[i].value == value)
            return true;
    return false;
}

static bool is_wide(const struct source *source)
{
    return source->instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && source->instruction.raw.rex.W;
}

/* bnd is the one prefix of a branch that does something. */
static void put_bnd(struct sink *sink, const struct source *source)
{
    if (has_prefix(source, 0xF2))
        put_byte(sink, 0xF2);
}

/* push qword [rip + literal] */
static void put_push(struct sink *sink, const struct source *source)
{
    static const uint8_t push[] = {0xFF, 0x35};

    sink->literal = source->address + source->instruction.length;
    put(sink, push, sizeof(push));
    put_displacement(sink, sink->address + sink->literal_at, 0, "the return address");
}

static void put_hop(struct sink *sink, const struct source *source)
{
    static const uint8_t hop[] = {
        0x02,       /* the taken branch: over the next jmp */
        0xEB, 0x05, /* jmp: not taken, over the one behind */
        0xE9,       /* jmp rel32 */
    };

    if (has_prefix(source, 0x67)) /* counts in ecx */
        put_byte(sink, 0x67);
    put_byte(sink, source->instruction.opcode);
    put(sink, hop, sizeof(hop));
    put_displacement(sink, moved_target(sink, source), 0, "the target of a loop at");
}

static const ZydisDecodedOperand *memory_operand(const struct source *source)
{
    for (size_t i = 0; i < source->instruction.operand_count_visible; i++)
        if (source->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return &source->operands[i];
    return NULL;
}

static bool is_rip_relative(const struct source *source)
{
    const ZydisDecodedOperand *memory = memory_operand(source);

    return memory && (memory->mem.base == ZYDIS_REGISTER_RIP || memory->mem.base == ZYDIS_REGISTER_EIP);
}

/* The instruction with `modrm` in place of its own, and its rip-relative displacement corrected. */
static void put_copy(struct sink *sink, const struct source *source, uint8_t modrm)
{
    const ZydisDecodedInstructionRaw *raw = &source->instruction.raw;
    size_t length = source->instruction.length;
    size_t at = raw->disp.offset;
    uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];

    memcpy(bytes, source->code, length);
    if (source->instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM)
        bytes[raw->modrm.offset] = modrm;
    if (!is_rip_relative(source)) {
        put(sink, bytes, length);
        return;
    }
    put(sink, bytes, at);
    put_displacement(sink, source->address + length + (uint64_t)raw->disp.value, length - at - 4, "the operand at");
    put(sink, bytes + at + 4, length - at - 4);
}

/* jmp through memory that is addressed by rsp, behind a push: 8 bytes further. */
static void put_jump_through_stack(struct sink *sink, const struct source *source)
{
    const ZydisDecodedInstructionRaw *raw = &source->instruction.raw;
    int32_t displacement = (int32_t)raw->disp.value + PUSH_BYTES;
    uint8_t bytes[4];

    memcpy(bytes, &displacement, sizeof(bytes));
    put(sink, source->code, raw->modrm.offset);
    put_byte(sink, 0x80 | 4 << 3 | 4); /* ModRM: SIB and disp32 follow, /4 is jmp */
    put_byte(sink, source->code[raw->sib.offset]);
    put(sink, bytes, sizeof(bytes));
}

static void put_call_indirect(struct sink *sink, const struct source *source)
{
    const ZydisDecodedOperand *memory = memory_operand(source);
    uint8_t modrm = source->code[source->instruction.raw.modrm.offset];

    put_push(sink, source);
    if (memory && memory->mem.base == ZYDIS_REGISTER_RSP)
        put_jump_through_stack(sink, source);
    else
        put_copy(sink, source, (uint8_t)((modrm & ~0x38) | 4 << 3)); /* FF /2 is call, FF /4 is jmp */
}

static void put_instruction(struct sink *sink, const struct source *source, enum shape shape)
{
    switch (shape) {
    case SHAPE_COPY:
        put_copy(sink, source, source->code[source->instruction.raw.modrm.offset]);
        break;
    case SHAPE_JUMP:
        put_bnd(sink, source);
        put_byte(sink, 0xE9);
        put_displacement(sink, moved_target(sink, source), 0, "the target of a jump,");
        break;
    case SHAPE_BRANCH:
        put_bnd(sink, source);
        put_byte(sink, 0x0F);
        put_byte(sink, (uint8_t)(0x80 | (source->instruction.opcode & 0x0F))); /* the condition is in both forms */
        put_displacement(sink, moved_target(sink, source), 0, "the target of a jump,");
        break;
    case SHAPE_HOP:
        put_hop(sink, source);
        break;
    case SHAPE_CALL:
        put_push(sink, source);
        put_bnd(sink, source);
        put_byte(sink, 0xE9);
        put_displacement(sink, relative_target(source), 0, "the target of a call,");
        break;
    case SHAPE_CALL_INDIRECT:
        put_call_indirect(sink, source);
        break;
    }
}

/* In the interior of the window: behind its first byte and before its end. */
static bool is_inside(const struct patch_plan *plan, uint64_t address)
{
    return address > plan->address && address < plan->address + plan->window_bytes;
}

static bool is_boundary(const struct patch_plan *plan, uint64_t address)
{
    for (size_t i = 0; i < plan->instruction_count; i++)
        if (plan->address + plan->instructions[i].offset == address)
            return true;
    return false;
}

static int relative_shape(const struct source *source, enum shape *ret_shape)
{
    uint64_t target = relative_target(source);
    uint64_t next = source->address + source->instruction.length;

    if (has_prefix(source, 0x66) && !is_wide(source)) /* AMD cuts the target to 16 bits, Intel does not */
        return -ENOTSUP;
    switch (source->instruction.mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        *ret_shape = SHAPE_CALL;
        return target == next || is_inside(source->plan, target) ? -ENOTSUP : 0;
    case ZYDIS_MNEMONIC_JMP:
        *ret_shape = SHAPE_JUMP;
        break;
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
        *ret_shape = SHAPE_HOP;
        break;
    default:
        if (source->instruction.meta.category != ZYDIS_CATEGORY_COND_BR ||
            source->instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
            source->instruction.mnemonic == ZYDIS_MNEMONIC_XBEGIN)
            return -ENOTSUP;
        *ret_shape = SHAPE_BRANCH;
    }
    return is_inside(source->plan, target) && !is_boundary(source->plan, target) ? -ENOTSUP : 0;
}

/* A call through register or memory becomes a push and a jump, so rsp is 8 bytes lower when the target is read. */
static int call_indirect_shape(const struct source *source, enum shape *ret_shape)
{
    const ZydisDecodedOperand *memory = memory_operand(source);

    *ret_shape = SHAPE_CALL_INDIRECT;
    if (has_prefix(source, 0x66) && !is_wide(source))
        return -ENOTSUP;
    if (!memory)
        return source->operands[0].reg.value == ZYDIS_REGISTER_RSP ? -ENOTSUP : 0;
    if (memory->mem.base == ZYDIS_REGISTER_ESP)
        return -ENOTSUP;
    if (memory->mem.base != ZYDIS_REGISTER_RSP)
        return 0;
    /* The push would overwrite it, or the displacement would overflow. */
    if (memory->mem.disp.value < 0 || memory->mem.disp.value > INT32_MAX - PUSH_BYTES)
        return -ENOTSUP;
    return 0;
}

/* -ENOTSUP: the instruction cannot be written elsewhere. */
static int find_shape(const struct source *source, enum shape *ret_shape)
{
    const ZydisDecodedOperand *memory = memory_operand(source);

    *ret_shape = SHAPE_COPY;
    if (source->instruction.raw.imm[0].is_relative)
        return relative_shape(source, ret_shape);
    if (source->instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return -ENOTSUP;
    if (memory && memory->mem.base == ZYDIS_REGISTER_EIP)
        return -ENOTSUP;
    switch (source->instruction.mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        return call_indirect_shape(source, ret_shape);
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_UIRET:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_RSM:
        return -ENOTSUP;
    default:
        return 0;
    }
}

static bool control_goes_on(const struct source *source)
{
    switch (source->instruction.mnemonic) {
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_CALL: /* it returns to the original place */
    case ZYDIS_MNEMONIC_UD2:
        return false;
    default:
        return true;
    }
}

/* Writes the whole copy once; the first time only to learn the offsets. */
static void put_window(struct sink *sink, const ZydisDecoder *decoder, const struct patch_plan *plan)
{
    struct source source = {.plan = plan};
    enum shape shape;

    sink->relocated->code_bytes = 0;
    for (size_t i = 0; i < plan->instruction_count && !sink->error; i++) {
        source.code = plan->original + plan->instructions[i].offset;
        source.address = plan->address + plan->instructions[i].offset;
        sink->relocated->offsets[i] = (uint8_t)sink->relocated->code_bytes;
        if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, source.code, plan->instructions[i].length, &source.instruction,
                                               source.operands)) ||
            find_shape(&source, &shape) < 0)
            fail(sink, -ENOTSUP, "the instruction at", source.address);
        else
            put_instruction(sink, &source, shape);
    }
    if (!sink->error && control_goes_on(&source)) {
        put_byte(sink, 0xE9); /* jmp rel32: the rest of the function */
        put_displacement(sink, plan->address + plan->window_bytes, 0, "the rest of the function at");
    }
    sink->literal_at = sink->relocated->code_bytes;
    if (sink->literal)
        put(sink, (const uint8_t *)&sink->literal, sizeof(sink->literal));
}

int plan_relocate(const struct patch_plan *plan, uint64_t address, struct plan_relocated *ret_relocated,
                  struct diag *diag)
{
    struct plan_relocated relocated = {.code_bytes = 0};
    struct sink sink = {.relocated = &relocated, .address = address, .diag = diag};
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    put_window(&sink, &decoder, plan);
    sink.is_final = true;
    put_window(&sink, &decoder, plan);
    if (sink.error)
        return sink.error;
    *ret_relocated = relocated;
    return 0;
}
