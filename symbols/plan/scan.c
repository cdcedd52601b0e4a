#include "symbols/plan/scan.h"

#include <limits.h>
#include <string.h>

#include "symbols/plan/exits.h"
#include "symbols/plan/look.h"
#include "symbols/plan/own.h"
#include "symbols/plan/plan.h"
#include "symbols/plan/tables.h"
#include "symbols/plan/tails.h"

enum {
    LABELS_MAX = 64,
    DEPTH_UNKNOWN = INT_MIN,
    RETURN_ADDRESS_BYTES = 8,
};

/* A place ahead that a branch leads to. Dropping one is safe: less is then known there. */
struct label {
    uint64_t address;
    int depth;
};

/* The scan runs over the bytes in order and keeps what is known at the instruction at hand. */
struct scan {
    const ZydisDecoder *decoder;
    uint64_t entry;      /* of the function */
    uint64_t window;     /* first byte */
    uint64_t window_end; /* behind the last */
    struct label labels[LABELS_MAX];
    size_t label_count;
    uint64_t next_label; /* while !is_certain: the nearest one ahead, or UINT64_MAX */
    uint64_t furthest;   /* the last place of the function that a branch leads to */
    bool is_certain;     /* control gets here, so this is an instruction's first byte */
    bool is_dirty;       /* bytes were met that are no code: without is_certain anything may be wrong */
    bool is_after_call;  /* the callee may be one that never returns */
    bool is_within;      /* this belongs to the function; false behind the end of one whose size is not known */
    bool has_size;
    bool begins_with_push; /* the window does: then its first byte is not the start of a loop in compiled code */
    bool may_use_rbx;      /* there is a use where it is not known that control gets there */
    bool may_go_on;        /* there is a jump or call by which control may get anywhere in the function */
    int depth;             /* the return address lies at [rsp + depth] */
    int frame;             /* the return address lies at [rbp + frame] */
    struct tables *tables; /* NULL: the object is not known */
    struct exits *exits;   /* the same */
    struct scan_result result;
};

static void add_label(struct scan *scan, uint64_t here, uint64_t address)
{
    if (!scan->is_certain || address <= here)
        return;
    if (address > scan->furthest)
        scan->furthest = address;
    if (scan->label_count == LABELS_MAX) {
        size_t kept = 0;

        for (size_t i = 0; i < LABELS_MAX; i++)
            if (scan->labels[i].address > here)
                scan->labels[kept++] = scan->labels[i];
        scan->label_count = kept;
    }
    if (scan->label_count < LABELS_MAX)
        scan->labels[scan->label_count++] = (struct label){address, scan->depth};
}

/* Control does not pass to `next` from above. */
static void lose_control(struct scan *scan, uint64_t next)
{
    scan->is_certain = false;
    scan->depth = DEPTH_UNKNOWN;
    scan->next_label = UINT64_MAX;
    for (size_t i = 0; i < scan->label_count; i++)
        if (scan->labels[i].address >= next && scan->labels[i].address < scan->next_label)
            scan->next_label = scan->labels[i].address;
    if (!scan->has_size && scan->furthest < next)
        scan->is_within = false;
}

/* The scan is at a label. */
static void regain_control(struct scan *scan)
{
    scan->is_certain = true;
    for (size_t i = 0; i < scan->label_count; i++)
        if (scan->labels[i].address == scan->next_label && scan->labels[i].depth != DEPTH_UNKNOWN)
            scan->depth = scan->labels[i].depth;
}

static bool is_in_window(const struct scan *scan, uint64_t address)
{
    return address >= scan->window && address < scan->window_end;
}

static void examine_target(struct scan *scan, uint64_t here, enum look_kind kind, uint64_t target)
{
    bool is_moved = is_in_window(scan, here); /* then its jumps go to the copy, as far as they are inside */

    if (is_in_window(scan, target) && target != scan->window) {
        if (!is_moved || kind == LOOK_CALL)
            scan->result.jumps_into_window = true;
        return;
    }
    if (kind == LOOK_CALL)
        return;
    add_label(scan, here, target);
    if (is_moved || (kind == LOOK_JUMP && !scan->is_within)) /* the latter: a tail call of the next function */
        return;
    if (target == scan->entry && (scan->entry != scan->window || (kind == LOOK_JUMP && scan->begins_with_push)))
        scan->result.jumps_to_entry = true;
    else if (target == scan->window)
        scan->result.loops_to_window = true;
}

static void examine_memory(struct scan *scan, const struct look *look, uint64_t next)
{
    uint64_t target = next + (uint64_t)(int64_t)look->disp;

    if (look->base == LOOK_RIP && is_in_window(scan, target) && !(look->is_address && target == scan->window))
        scan->result.jumps_into_window = true;
    if (look->kind == LOOK_JUMP_INDIRECT && (look->base == LOOK_RBP || look->base == LOOK_RBX || look->base == 13))
        scan->result.jumps_through_rbp = true;
}

/* A return that is not the plain one pops more than its address. */
static void examine_return(struct scan *scan, const uint8_t *code)
{
    scan->result.has_return = true;
    while (*code == 0xF2 || *code == 0xF3 || *code == 0x66 || (*code & 0xF0) == 0x40)
        code++;
    if (*code != 0xC3 && !(*code == 0xC2 && code[1] == 0 && code[2] == 0))
        scan->result.touches_return_address = true;
}

static bool is_part_of(ZydisRegister name, ZydisRegister whole)
{
    return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, name) == whole;
}

static bool operand_uses(const ZydisDecodedOperand *operand, ZydisRegister whole)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return is_part_of(operand->reg.value, whole);
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
           (is_part_of(operand->mem.base, whole) || is_part_of(operand->mem.index, whole));
}

/* A store that is not to the own frame may be made for somebody else: libgcc's __avx_savms64_* save their caller's. */
static bool is_save_of_rbx(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    switch (instruction->mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
        return operands[0].reg.value == ZYDIS_REGISTER_RBX && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
    case ZYDIS_MNEMONIC_MOV:
        return operands[1].reg.value == ZYDIS_REGISTER_RBX && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
               (operands[0].mem.base == ZYDIS_REGISTER_RSP || operands[0].mem.base == ZYDIS_REGISTER_RBP);
    case ZYDIS_MNEMONIC_MOVQ:
    case ZYDIS_MNEMONIC_VMOVQ:
        return operands[1].reg.value == ZYDIS_REGISTER_RBX && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
    default:
        return false;
    }
}

/* What is stored behind a use is no longer the caller's value, or the caller's value is an argument. */
static bool may_save_rbx(const struct scan *scan)
{
    bool is_code = scan->is_certain || !scan->is_dirty;

    return is_code && scan->is_within && !scan->result.uses_rbx && !scan->may_use_rbx;
}

static void examine_rbx(struct scan *scan, const uint8_t *code, size_t bytes)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(scan->decoder, code, bytes, &instruction, operands)))
        return;
    if (may_save_rbx(scan) && is_save_of_rbx(&instruction, operands))
        scan->result.saves_rbx = true;
    for (size_t i = 0; i < instruction.operand_count; i++)
        if (operand_uses(&operands[i], ZYDIS_REGISTER_RBX))
            *(scan->is_certain ? &scan->result.uses_rbx : &scan->may_use_rbx) = true;
}

/* `lock or [rsp], 0` is a memory barrier, `or [rsp], 0` touches a new page: neither cares for what is there. */
static bool is_idle(const struct scan *scan, const uint8_t *code, size_t bytes)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(scan->decoder, code, bytes, &instruction, operands)))
        return false;
    return (instruction.mnemonic == ZYDIS_MNEMONIC_OR || instruction.mnemonic == ZYDIS_MNEMONIC_ADD) &&
           operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[1].imm.value.u == 0;
}

static bool touches_return_address(const struct scan *scan, const struct look *look)
{
    int slot = look->base == LOOK_RSP ? scan->depth : look->base == LOOK_RBP ? scan->frame : DEPTH_UNKNOWN;

    return slot != DEPTH_UNKNOWN && !look->is_address && !look->has_index && look->disp >= slot &&
           look->disp < slot + RETURN_ADDRESS_BYTES;
}

static void set_depth(struct scan *scan, int64_t depth)
{
    if (depth < 0)
        scan->result.touches_return_address = true; /* it was popped */
    scan->depth = depth < 0 || depth > INT_MAX / 2 ? DEPTH_UNKNOWN : (int)depth;
}

/* Prologues and epilogues are made of these, so they are worth a look without Zydis. True: the depth is up to date. */
static bool follow_plain_stack(struct scan *scan, const uint8_t *code, const struct look *look)
{
    uint8_t opcode = code[look->length == 2 && code[0] == 0x41 ? 1 : 0];
    int32_t value;

    if (look->length <= 2 && opcode >= 0x50 && opcode <= 0x57) {
        set_depth(scan, (int64_t)scan->depth + 8);
        return true;
    }
    if (look->length <= 2 && opcode >= 0x58 && opcode <= 0x5F && !(look->length == 1 && opcode == 0x5C)) {
        set_depth(scan, (int64_t)scan->depth - 8);
        return true;
    }
    if (code[0] != 0x48 || (code[1] != 0x83 && code[1] != 0x81) || (code[2] != 0xEC && code[2] != 0xC4))
        return false;
    if (code[1] == 0x83)
        value = (int8_t)code[3];
    else
        memcpy(&value, code + 3, 4);
    set_depth(scan, (int64_t)scan->depth + (code[2] == 0xEC ? (int64_t)value : -(int64_t)value));
    return true;
}

static bool is_register(const ZydisDecodedOperand *operand, ZydisRegister name)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->reg.value == name;
}

/* mov and lea between rsp and rbp. */
static bool follow_frame(struct scan *scan, const ZydisDecodedInstruction *instruction,
                         const ZydisDecodedOperand *operands)
{
    bool is_lea = instruction->mnemonic == ZYDIS_MNEMONIC_LEA && operands[1].mem.index == ZYDIS_REGISTER_NONE;
    ZydisRegister source = is_lea ? operands[1].mem.base : operands[1].reg.value;
    int64_t offset = is_lea ? operands[1].mem.disp.value : 0;
    int slot = source == ZYDIS_REGISTER_RSP ? scan->depth : source == ZYDIS_REGISTER_RBP ? scan->frame : DEPTH_UNKNOWN;

    if (!is_lea && (instruction->mnemonic != ZYDIS_MNEMONIC_MOV || operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER))
        return false;
    if (slot == DEPTH_UNKNOWN)
        return false;
    if (is_register(&operands[0], ZYDIS_REGISTER_RSP)) {
        set_depth(scan, slot - offset);
        return true;
    }
    if (!is_register(&operands[0], ZYDIS_REGISTER_RBP))
        return false;
    scan->frame = (int)(slot - offset);
    return true;
}

static bool changes_register(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands,
                             ZydisRegister whole)
{
    for (size_t i = 0; i < instruction->operand_count; i++)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && is_part_of(operands[i].reg.value, whole) &&
            (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            return true;
    return false;
}

static void follow_stack(struct scan *scan, const uint8_t *code, size_t bytes)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    bool has_depth = scan->depth != DEPTH_UNKNOWN;

    if (ZYAN_FAILED(ZydisDecoderDecodeFull(scan->decoder, code, bytes, &instruction, operands)) ||
        follow_frame(scan, &instruction, operands))
        return;
    switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
        if (has_depth && instruction.operand_width == 64)
            set_depth(scan, (int64_t)scan->depth + 8);
        else
            scan->depth = DEPTH_UNKNOWN;
        return;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPFQ:
        if (has_depth && instruction.operand_width == 64 && !is_register(&operands[0], ZYDIS_REGISTER_RSP))
            set_depth(scan, (int64_t)scan->depth - 8);
        else
            scan->depth = DEPTH_UNKNOWN;
        return;
    case ZYDIS_MNEMONIC_LEAVE: /* rbp is not forgotten: other blocks of the function still have it */
        scan->depth = scan->frame == DEPTH_UNKNOWN ? DEPTH_UNKNOWN : scan->frame - 8;
        return;
    case ZYDIS_MNEMONIC_CMP: /* a loop that touches each new page of the stack, as many times as nobody knows */
        scan->depth = DEPTH_UNKNOWN;
        return;
    default:
        if (changes_register(&instruction, operands, ZYDIS_REGISTER_RSP))
            scan->depth = DEPTH_UNKNOWN;
        if (changes_register(&instruction, operands, ZYDIS_REGISTER_RBP))
            scan->frame = DEPTH_UNKNOWN;
    }
}

static void examine_stack(struct scan *scan, const uint8_t *code, size_t bytes, const struct look *look)
{
    const uint32_t rsp = 1U << LOOK_RSP, rbp = 1U << LOOK_RBP;

    if (scan->depth == DEPTH_UNKNOWN && scan->frame == DEPTH_UNKNOWN)
        return;
    if (touches_return_address(scan, look) && !is_idle(scan, code, bytes))
        scan->result.touches_return_address = true;
    if ((look->operands & rsp) && scan->depth != DEPTH_UNKNOWN && follow_plain_stack(scan, code, look))
        return;
    if ((look->operands & rsp) || (scan->frame != DEPTH_UNKNOWN && (look->operands & rbp)))
        follow_stack(scan, code, bytes);
}

static void examine(struct scan *scan, const uint8_t *code, size_t bytes, uint64_t here, const struct look *look)
{
    uint64_t next = here + look->length;

    examine_memory(scan, look, next);
    if (scan->tables)
        tables_note(scan->tables, look, code, here);
    if (scan->exits)
        exits_note(scan->exits, look, code, here,
                   scan->depth == 0               ? EXITS_AT_CALL
                   : scan->depth == DEPTH_UNKNOWN ? EXITS_UNKNOWN
                                                  : EXITS_IN_FRAME);
    if ((look->registers & (1U << LOOK_RBX)) && !scan->result.saves_rbx)
        examine_rbx(scan, code, bytes);
    examine_stack(scan, code, bytes, look);
    if (look->kind == LOOK_BRANCH || look->kind == LOOK_JUMP || look->kind == LOOK_CALL)
        examine_target(scan, here, look->kind, next + (uint64_t)(int64_t)look->relative);
    if (look->kind == LOOK_RETURN)
        examine_return(scan, code);
    if (look->kind == LOOK_JUMP_INDIRECT || look->kind == LOOK_CALL || look->kind == LOOK_CALL_INDIRECT)
        scan->may_go_on = true; /* through a table; to the landing pad of an exception */
    scan->is_after_call = look->kind == LOOK_CALL || look->kind == LOOK_CALL_INDIRECT;
    if (look->kind != LOOK_PLAIN && look->kind != LOOK_BRANCH && !scan->is_after_call)
        lose_control(scan, next);
}

/* Scans `bytes` bytes; instructions that begin there may end within the `readable` ones. */
static void scan_range(struct scan *scan, const uint8_t *code, size_t bytes, size_t readable, uint64_t address)
{
    struct look look;

    for (size_t at = 0; at < bytes; at += look.length) {
        uint64_t here = address + at;

        if (!scan->is_certain && here == scan->next_label)
            regain_control(scan);
        if (!look_at(scan->decoder, code + at, readable - at, &look)) {
            if (scan->is_certain && !scan->is_after_call) {
                scan->result.is_undecodable = true;
                return;
            }
            lose_control(scan, here + 1);
            scan->is_dirty = true;
            look.length = 1;
        } else if (!scan->is_certain && scan->next_label - here < look.length) {
            scan->is_dirty = true; /* what looks like an instruction overlaps a real one */
            look.length = (uint8_t)(scan->next_label - here);
        } else {
            examine(scan, code + at, readable - at, here, &look);
        }
    }
}

static void scan_all(struct scan *scan, const struct plan_request *request, size_t skip_bytes)
{
    size_t bytes = own_bytes(request);

    if (skip_bytes < bytes)
        scan_range(scan, request->code + skip_bytes, bytes - skip_bytes, request->code_bytes - skip_bytes,
                   request->address + skip_bytes);
    if (request->cold) {
        scan->is_certain = true;
        scan->is_dirty = false;
        scan->is_after_call = false;
        scan->is_within = true;
        scan->has_size = true;
        scan->label_count = 0;
        scan->depth = DEPTH_UNKNOWN;
        scan_range(scan, request->cold, request->cold_bytes, request->cold_bytes, request->cold_address);
    }
    scan->result.uses_rbx |= scan->may_use_rbx && scan->may_go_on;
    if (scan->exits) {
        exits_finish(scan->exits);
        scan->result.tail = scan->exits->tail;
        scan->result.is_profiled = scan->exits->is_profiled;
        scan->result.body = scan->exits->body;
        scan->result.body_bytes = scan->exits->body_bytes;
        scan->result.is_cover = scan->exits->adds_argument;
    }
}

void scan_function(const ZydisDecoder *decoder, const struct plan_request *request, const struct patch_plan *plan,
                   struct scan_result *ret_result)
{
    const struct plan_object *object = request->object;
    struct tails tails = {.object = object, .decoder = decoder, .root = request->address};
    struct exits exits = {.tails = &tails, .request = request};
    struct tables tables = {
        .request = request, .window = plan->address, .window_end = plan->address + plan->window_bytes};
    struct scan scan = {
        .decoder = decoder,
        .entry = request->address,
        .window = plan->address,
        .window_end = plan->address + plan->window_bytes,
        .next_label = UINT64_MAX,
        .is_certain = true,
        .is_within = true,
        .has_size = request->function_bytes != 0,
        .begins_with_push =
            (plan->original[0] & 0xF8) == 0x50 || (plan->original[0] == 0x41 && (plan->original[1] & 0xF8) == 0x50),
        .frame = DEPTH_UNKNOWN,
        .tables = object ? &tables : NULL,
        .exits = object ? &exits : NULL,
    };

    scan_all(&scan, request, plan->skip_bytes);
    *ret_result = scan.result;
    if (!object)
        return;
    ret_result->table = tables_reason(&tables, decoder);
    tails_know(&tails, ret_result);
}

void scan_callee(const struct tails *tails, const struct plan_request *request, struct scan_result *ret_result)
{
    struct exits exits = {.tails = tails, .request = request};
    struct scan scan = {
        .decoder = tails->decoder,
        .entry = request->address,
        .next_label = UINT64_MAX,
        .is_certain = true,
        .is_within = true,
        .has_size = true,
        .frame = DEPTH_UNKNOWN,
        .exits = &exits,
    };

    scan_all(&scan, request, 0);
    *ret_result = scan.result;
}
