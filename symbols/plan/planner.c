#include "symbols/plan/plan.h"

#include <assert.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "symbols/common/diag.h"
#include "symbols/plan/scan.h"
#include "symbols/plan/special.h"

/* The window while it is formed. */
struct window {
    const ZydisDecoder *decoder;
    const struct plan_request *request;
    struct patch_plan *plan;
    size_t room;      /* the window may not go past that many bytes of the code */
    size_t code_ends; /* bytes of the function itself, where that is known, else the room */
    bool sets_flags;  /* an instruction so far did, or went elsewhere */
    bool has_ended;   /* behind a jump or return: the rest is padding, or something else's */
    bool has_call;
};

static bool ends_control(const ZydisDecodedInstruction *instruction)
{
    switch (instruction->mnemonic) {
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
        return true;
    default:
        return false;
    }
}

/* What linkers and assemblers fill gaps with. Zero bytes are none: they may be data. */
static bool is_padding(const ZydisDecodedInstruction *instruction, const uint8_t *code)
{
    return instruction->mnemonic == ZYDIS_MNEMONIC_NOP || instruction->mnemonic == ZYDIS_MNEMONIC_INT3 ||
           (instruction->length == 2 && code[0] == 0x66 && code[1] == 0x90);
}

/* Flags are no arguments, but of assembly. `pushf` looks at those that are not for arithmetic. */
static bool takes_flags(struct window *window, const ZydisDecodedInstruction *instruction)
{
    const ZydisAccessedFlagsMask arithmetic =
        ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF | ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF;
    const ZydisAccessedFlags *flags = instruction->cpu_flags;

    if (!flags || window->sets_flags || window->has_ended)
        return false;
    window->sets_flags = (flags->modified | flags->set_0 | flags->set_1 | flags->undefined) & arithmetic ||
                         instruction->meta.category == ZYDIS_CATEGORY_CALL;
    return flags->tested & arithmetic && instruction->meta.category != ZYDIS_CATEGORY_PUSH;
}

static enum plan_reason add_instruction(struct window *window)
{
    struct patch_plan *plan = window->plan;
    size_t at = (size_t)plan->skip_bytes + plan->window_bytes;
    const uint8_t *code = window->request->code + at;
    bool is_behind = window->has_ended || at >= window->code_ends;
    ZydisDecodedInstruction instruction;

    if (at >= window->room || plan->instruction_count == PLAN_WINDOW_INSTRUCTIONS_MAX)
        return PLAN_REASON_TOO_SHORT;
    if (ZYAN_FAILED(
            ZydisDecoderDecodeInstruction(window->decoder, NULL, code, window->request->code_bytes - at, &instruction)))
        return is_behind ? PLAN_REASON_TOO_SHORT : PLAN_REASON_UNDECODABLE;
    if (at + instruction.length > window->room || (is_behind && !is_padding(&instruction, code)))
        return PLAN_REASON_TOO_SHORT;
    if (!is_behind && at + instruction.length > window->code_ends)
        return PLAN_REASON_UNDECODABLE; /* the symbol's size is wrong, or these are no instructions */
    if (plan->window_bytes && instruction.mnemonic == ZYDIS_MNEMONIC_ENDBR64)
        return PLAN_REASON_JUMP_INTO_WINDOW; /* that is what it is there for */
    if (instruction.mnemonic == ZYDIS_MNEMONIC_INT3 && !is_behind)
        return PLAN_REASON_BREAKPOINT;
    if (takes_flags(window, &instruction))
        return PLAN_REASON_FLAGS_IN;
    plan->instructions[plan->instruction_count++] = (struct plan_instruction){plan->window_bytes, instruction.length};
    plan->window_bytes = (uint8_t)(plan->window_bytes + instruction.length);
    if (instruction.meta.category == ZYDIS_CATEGORY_CALL) {
        window->has_call = true;
        if (plan->window_bytes < PLAN_JUMP_BYTES)
            return PLAN_REASON_SHORT_CALL;
    }
    window->has_ended |= ends_control(&instruction);
    return PLAN_REASON_NONE;
}

static enum plan_reason form_window(struct window *window)
{
    static const uint8_t endbr64[] = {0xF3, 0x0F, 0x1E, 0xFA};
    const struct plan_request *request = window->request;
    struct patch_plan *plan = window->plan;
    enum plan_reason reason = PLAN_REASON_NONE;

    window->room =
        request->next_symbol && request->next_symbol < request->code_bytes ? request->next_symbol : request->code_bytes;
    window->code_ends =
        request->function_bytes && request->function_bytes < window->room ? request->function_bytes : window->room;
    if (window->room >= sizeof(endbr64) && memcmp(request->code, endbr64, sizeof(endbr64)) == 0)
        plan->skip_bytes = sizeof(endbr64);
    plan->address = request->address + plan->skip_bytes;
    while (plan->window_bytes < PLAN_JUMP_BYTES && reason == PLAN_REASON_NONE)
        reason = add_instruction(window);
    if (reason != PLAN_REASON_NONE)
        return reason;
    assert(plan->window_bytes <= sizeof(plan->original));
    memcpy(plan->original, request->code + plan->skip_bytes, plan->window_bytes);
    return window->has_call && request->has_shadow_stack ? PLAN_REASON_SHADOW_STACK : PLAN_REASON_NONE;
}

/* What cannot be written elsewhere shows when it is tried, at no distance. */
static bool is_movable(const struct patch_plan *plan)
{
    struct plan_relocated relocated;
    struct diag diag;

    return plan_relocate(plan, plan->address, &relocated, &diag) == 0;
}

static enum plan_reason refusal_of(const struct scan_result *result)
{
    if (result->is_undecodable)
        return PLAN_REASON_UNDECODABLE;
    if (result->jumps_into_window)
        return PLAN_REASON_JUMP_INTO_WINDOW;
    if (result->loops_to_window)
        return PLAN_REASON_JUMP_TO_ENTRY;
    return result->table;
}

static enum plan_reason doubt_of(const struct scan_result *result, const struct plan_request *request)
{
    if (result->touches_return_address)
        return PLAN_REASON_CALLER_SENSITIVE;
    if (result->is_profiled)
        return PLAN_REASON_PROFILED;
    if (result->uses_rbx && !result->saves_rbx)
        return PLAN_REASON_UNSAVED_RBX;
    if (!result->has_return && special_is_haskell(request->symbol, request->is_haskell || result->jumps_through_rbp))
        return PLAN_REASON_UNSAVED_RBX;
    return result->jumps_to_entry ? PLAN_REASON_JUMP_TO_ENTRY : result->tail;
}

static void set_answer(struct patch_plan *plan, enum plan_mode mode, enum plan_reason reason)
{
    plan->mode = mode;
    plan->reason = reason;
}

void plan_function(const struct plan_request *request, struct patch_plan *ret_plan)
{
    enum plan_reason special = special_reason(request->symbol);
    enum plan_reason reason = special;
    struct scan_result result;
    ZydisDecoder decoder;
    struct window window = {.decoder = &decoder, .request = request, .plan = ret_plan};

    memset(ret_plan, 0, sizeof(*ret_plan));
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (special != PLAN_REASON_SPECIAL_ABI && special != PLAN_REASON_MEMORY_TEST)
        reason = form_window(&window);
    if (reason == PLAN_REASON_NONE) {
        scan_function(&decoder, request, ret_plan, &result);
        ret_plan->has_return = result.has_return;
        ret_plan->function_bytes = request->function_bytes;
        ret_plan->body = result.body;
        ret_plan->body_bytes = result.body_bytes;
        ret_plan->is_cover = result.is_cover;
        reason = refusal_of(&result);
    }
    if (reason == PLAN_REASON_NONE && !is_movable(ret_plan))
        reason = PLAN_REASON_UNMOVABLE;
    if (reason != PLAN_REASON_NONE) {
        set_answer(ret_plan, PLAN_REFUSED, reason);
        return;
    }
    reason = special != PLAN_REASON_NONE ? special : doubt_of(&result, request);
    set_answer(ret_plan, reason == PLAN_REASON_NONE ? PLAN_FULL : PLAN_COUNT, reason);
}

const char *plan_reason_text(enum plan_reason reason)
{
    static const char *const texts[PLAN_REASON_COUNT_] = {
        [PLAN_REASON_NONE] = "",
        [PLAN_REASON_TOO_SHORT] = "the function is too short for a jump of 5 bytes, and there is no padding behind it",
        [PLAN_REASON_UNDECODABLE] = "the function holds bytes that are no instruction",
        [PLAN_REASON_JUMP_INTO_WINDOW] = "code jumps into the bytes that would be replaced",
        [PLAN_REASON_JUMP_TO_ENTRY] =
            "the function jumps back to its own entry, so rounds of a loop may count as calls",
        [PLAN_REASON_RETURNS_TWICE] = "the function may return more than once, so its calls are only counted",
        [PLAN_REASON_CALLER_SENSITIVE] = "the function looks at its return address or caller, so its calls are only "
                                         "counted",
        [PLAN_REASON_SPECIAL_ABI] = "the function is not called by the C calling convention",
        [PLAN_REASON_UNSAVED_RBX] = "the function uses the register rbx without saving it, so its calls are only "
                                    "counted",
        [PLAN_REASON_SHORT_CALL] = "a call in the function's first 5 bytes would return into the bytes replaced",
        [PLAN_REASON_SHADOW_STACK] = "a call in the bytes that would be replaced cannot be moved under a shadow stack",
        [PLAN_REASON_UNMOVABLE] = "one of the first instructions cannot be moved to another address",
        [PLAN_REASON_ALREADY_PATCHED] = "the function's bytes in memory differ from the file's",
        [PLAN_REASON_NEVER_RETURNS] = "the function does not return to its caller, so its calls are only counted",
        [PLAN_REASON_BREAKPOINT] = "a debugger or a tracer has a breakpoint in the function's first instructions",
        [PLAN_REASON_FLAGS_IN] = "the function takes an argument in the processor's flags",
        [PLAN_REASON_MEMORY_TEST] = "the function tests memory by writing over it, callmeter's own too",
        [PLAN_REASON_FLAGS_OUT] = "a caller reads the processor's flags behind the call, so its calls are only counted",
        [PLAN_REASON_TABLE_INTO_WINDOW] =
            "an address in the program's data leads into the bytes that would be replaced",
        [PLAN_REASON_TABLE_TO_ENTRY] =
            "a table of jumps leads back to the function's entry, so rounds of a loop would count as calls",
        [PLAN_REASON_UNKNOWN_TABLE] =
            "the function jumps by a table that is not found, and may jump into the bytes that "
            "would be replaced",
        [PLAN_REASON_TAIL_CALLER_SENSITIVE] = "the function ends in a jump to one that looks at its return address or "
                                              "caller, so its calls are only counted",
        [PLAN_REASON_TAIL_RETURNS_TWICE] = "the function ends in a jump to one that may return more than once, so its "
                                           "calls are only counted",
        [PLAN_REASON_PROFILED] = "the function calls a profiler that looks at its caller (mcount, __fentry__), so its "
                                 "calls are only counted",
    };

    return (size_t)reason < PLAN_REASON_COUNT_ && texts[reason] ? texts[reason] : "unknown reason";
}
