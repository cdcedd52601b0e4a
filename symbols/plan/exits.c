#include "symbols/plan/exits.h"

#include <string.h>

#include "symbols/plan/look.h"
#include "symbols/plan/own.h"

/* `foo.part.0` to `foo`; the cold part has to be entered with the frame of the whole. */
static bool is_clone(const char *name, const char *symbol)
{
    size_t length = symbol ? strlen(symbol) : 0;

    return length && strncmp(name, symbol, length) == 0 && name[length] == '.' &&
           strncmp(name + length, ".cold", 5) != 0;
}

/* A function of its own by the unwind information, but of no name, or of one that the compiler made from this one's. */
static bool may_be_body(const struct exits *exits, uint64_t target, uint64_t *ret_bytes)
{
    const struct plan_object *object = exits->tails->object;
    uint64_t address = target - object->bias;
    const char *name;
    uint64_t start;

    if (!object->function_at(object->context, address, &start, ret_bytes) || start != address ||
        tails_is_stub(exits->tails, target))
        return false;
    name = object->name_at(object->context, address);
    return !name || is_clone(name, exits->request->symbol);
}

static void note_tail(struct exits *exits, enum plan_reason reason)
{
    if (exits->tail == PLAN_REASON_NONE)
        exits->tail = reason;
}

static void note_body(struct exits *exits, uint64_t target)
{
    uint64_t bytes;

    if (!exits->request->function_bytes || exits->request->function_bytes > EXITS_THIN_BYTES_MAX ||
        !may_be_body(exits, target, &bytes))
        return;
    exits->body = target;
    exits->body_bytes = bytes;
}

static void note_jump(struct exits *exits, uint64_t target, enum exits_stack stack)
{
    const struct plan_object *object = exits->tails->object;
    bool is_fragment = stack != EXITS_AT_CALL;

    if (own_holds(exits->request, target))
        return;
    if (stack == EXITS_UNKNOWN && object->name_at(object->context, target - object->bias))
        is_fragment = false;
    if (exits->tail == PLAN_REASON_NONE)
        note_tail(exits, tails_at(exits->tails, target, is_fragment));
    if (stack == EXITS_AT_CALL && exits->tails->depth == 0)
        note_body(exits, target);
}

/* The address that stands at a place of the object's data, from the start; 0: none. */
static uint64_t pointer_at(const struct plan_object *object, uint64_t place)
{
    size_t low = 0;
    size_t high = object->pointer_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->pointers[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < object->pointer_count && object->pointers[low].place == place ? object->pointers[low].value : 0;
}

static void note_jump_through(struct exits *exits, uint64_t place)
{
    const struct plan_object *object = exits->tails->object;
    uint64_t value = pointer_at(object, place - object->bias);

    note_tail(exits, tails_through(exits->tails, place));
    if (value && !own_holds(exits->request, value + object->bias))
        note_tail(exits, tails_at(exits->tails, value + object->bias, false));
}

static void note_address(struct exits *exits, uint64_t address)
{
    const struct plan_object *object = exits->tails->object;

    if (address - object->bias < object->code_start || address - object->bias >= object->code_end ||
        own_holds(exits->request, address) || exits->named_count == EXITS_NAMED_MAX)
        return;
    exits->named[exits->named_count++] = address;
}

/* What is named or loaded may be jumped to later. */
static void note_plain(struct exits *exits, const struct look *look, uint64_t next)
{
    uint64_t place = next + (uint64_t)(int64_t)look->disp;

    if (look->base == LOOK_RIP && look->is_address)
        note_address(exits, place);
    else if (look->base == LOOK_RIP && exits->loaded == PLAN_REASON_NONE)
        exits->loaded = tails_through(exits->tails, place);
    if (look->has_immediate && exits->tails->object->is_fixed)
        note_address(exits, look->immediate);
}

/* Profilers are called first of all. */
static void note_call(struct exits *exits, const struct look *look, uint64_t next)
{
    if (!exits->has_call && look->kind == LOOK_CALL)
        exits->is_profiled = tails_is_profiler_at(exits->tails, next + (uint64_t)(int64_t)look->relative);
    else if (!exits->has_call && look->base == LOOK_RIP)
        exits->is_profiled = tails_is_profiler_through(exits->tails, next + (uint64_t)(int64_t)look->disp);
    exits->has_call = true;
}

/* rcx, rdx, rsi, rdi, r8 and r9. */
#define ARGUMENTS (1U << 1 | 1U << 2 | 1U << 6 | 1U << 7 | 1U << 8 | 1U << 9)

/* mov to one of them from memory that no argument points to. */
static bool loads_argument(const struct look *look, const uint8_t *code)
{
    bool is_extended = (code[0] & 0xF0) == 0x40;
    const uint8_t *opcode = code + is_extended;
    unsigned loaded;

    if (look->length < 2U + is_extended || opcode[0] != 0x8B || opcode[1] >= 0xC0)
        return false;
    loaded = (opcode[1] >> 3 & 7) | (is_extended && (code[0] & 4) ? 8 : 0);
    if (!(ARGUMENTS & 1U << loaded))
        return false;
    return look->base == LOOK_RIP || (look->base < LOOK_RIP && !((ARGUMENTS | 1U << LOOK_RSP) & 1U << look->base));
}

/* mov of a number to, or xor with itself, of one of them: a wrapper that calls something more general does so, while
 * the compiler splits off bodies that take what the whole takes, or members of it. */
static bool sets_argument(const struct look *look, const uint8_t *code)
{
    size_t opcode = (code[0] & 0xF0) == 0x40 ? 1 : 0;
    bool is_number = (code[opcode] & 0xF8) == 0xB8 || (code[opcode] == 0xC7 && code[opcode + 1] >= 0xC0);
    bool is_zero = (code[opcode] == 0x31 || code[opcode] == 0x33) && (look->operands & (look->operands - 1)) == 0;

    return (look->length >= 2 && (is_number || is_zero) && (look->operands & ARGUMENTS)) || loads_argument(look, code);
}

void exits_note(struct exits *exits, const struct look *look, const uint8_t *code, uint64_t here,
                enum exits_stack stack)
{
    uint64_t next = here + look->length;

    exits->has_frame |= stack == EXITS_IN_FRAME;
    switch (look->kind) {
    case LOOK_JUMP:
    case LOOK_BRANCH:
        note_jump(exits, next + (uint64_t)(int64_t)look->relative, stack);
        return;
    case LOOK_JUMP_INDIRECT:
        if (look->base == LOOK_RIP)
            note_jump_through(exits, next + (uint64_t)(int64_t)look->disp);
        else
            exits->jumps = true;
        return;
    case LOOK_CALL:
    case LOOK_CALL_INDIRECT:
        note_call(exits, look, next);
        return;
    default:
        exits->adds_argument |= sets_argument(look, code);
        note_plain(exits, look, next);
    }
}

void exits_finish(struct exits *exits)
{
    if (exits->jumps)
        note_tail(exits, exits->loaded);
    for (size_t i = 0; exits->jumps && i < exits->named_count && exits->tail == PLAN_REASON_NONE; i++)
        note_tail(exits, tails_at(exits->tails, exits->named[i], false));
    if (exits->has_call || exits->has_frame || exits->jumps)
        exits->body = 0;
}
