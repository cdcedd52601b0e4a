/* The planner on bytes: names, hostile requests, branches from elsewhere; and the quick decoder against the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/plan/look.h"
#include "symbols/plan/plan.h"

enum {
    ADDRESS = 0x401000,
    RANDOM_ROUNDS = 20000, /* with a sanitizer: 2 s */
};

/* push rbp; mov rbp, rsp; mov eax, edi; pop rbp; ret */
static const uint8_t plain[] = {0x55, 0x48, 0x89, 0xE5, 0x89, 0xF8, 0x5D, 0xC3};

static uint64_t random_state = 0x9E3779B97F4A7C15;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct patch_plan plan_bytes(const char *symbol, const uint8_t *code, size_t bytes)
{
    struct plan_request request = {
        .symbol = symbol, .code = code, .code_bytes = bytes, .function_bytes = bytes, .address = ADDRESS};
    struct patch_plan plan;

    plan_function(&request, &plan);
    return plan;
}

static void test_names(void **state)
{
    static const struct {
        const char *symbol;
        enum plan_mode mode;
        enum plan_reason reason;
    } cases[] = {
        {NULL, PLAN_FULL, PLAN_REASON_NONE},
        {"", PLAN_FULL, PLAN_REASON_NONE},
        {"compute", PLAN_FULL, PLAN_REASON_NONE},
        {"setjmp", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"__GI___sigsetjmp", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"vfork", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"fork", PLAN_FULL, PLAN_REASON_NONE},
        {"getcontext", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"swapcontext", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"clone", PLAN_COUNT, PLAN_REASON_RETURNS_TWICE},
        {"clones", PLAN_FULL, PLAN_REASON_NONE},
        {"dlsym", PLAN_COUNT, PLAN_REASON_CALLER_SENSITIVE},
        {"dlopen", PLAN_COUNT, PLAN_REASON_CALLER_SENSITIVE},
        {"dlclose", PLAN_FULL, PLAN_REASON_NONE},
        {"__libc_dlopen_mode", PLAN_COUNT, PLAN_REASON_CALLER_SENSITIVE},
        {"_Unwind_RaiseException", PLAN_COUNT, PLAN_REASON_CALLER_SENSITIVE},
        {"_Unwind_GetIP", PLAN_FULL, PLAN_REASON_NONE},
        {"siglongjmp", PLAN_COUNT, PLAN_REASON_NEVER_RETURNS},
        {"setcontext", PLAN_COUNT, PLAN_REASON_NEVER_RETURNS},
        {"exit", PLAN_FULL, PLAN_REASON_NONE},
        {"abort", PLAN_FULL, PLAN_REASON_NONE},
        {"execve", PLAN_COUNT, PLAN_REASON_NEVER_RETURNS},
        {"pthread_exit", PLAN_FULL, PLAN_REASON_NONE},
        {"__tls_get_addr", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"_start", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"_dl_runtime_resolve_xsavec", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"__restore_rt", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"runtime.mallocgc", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"memtest_fill_value", PLAN_REFUSED, PLAN_REASON_MEMORY_TEST},
        {"main.main", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"main.worker", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"main.(*Server).Serve", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"fmt.Println", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"net/http.serve", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"example.org/x/y.f", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"type:.eq.[2]string", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"main", PLAN_FULL, PLAN_REASON_NONE},
        {"main._omp_fn.0", PLAN_FULL, PLAN_REASON_NONE},
        {"main.constprop.0", PLAN_FULL, PLAN_REASON_NONE},
        {"sort.part.0", PLAN_FULL, PLAN_REASON_NONE},
        {"time.isra.0", PLAN_FULL, PLAN_REASON_NONE},
        {"compute.avx2", PLAN_FULL, PLAN_REASON_NONE},
        {"compute.arch_x86_64_v3", PLAN_FULL, PLAN_REASON_NONE},
        {"compute.lto_priv.0", PLAN_FULL, PLAN_REASON_NONE},
        {"_ZN4llvm3FooEv.Frame", PLAN_FULL, PLAN_REASON_NONE},
        {"compute.cold", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"compute.cold.3", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"camlStdlib__List__map_123", PLAN_COUNT, PLAN_REASON_UNSAVED_RBX},
        {"camlStdlib__List.map_123", PLAN_COUNT, PLAN_REASON_UNSAVED_RBX},
        {"caml_apply2", PLAN_COUNT, PLAN_REASON_UNSAVED_RBX},
        {"caml_program", PLAN_COUNT, PLAN_REASON_UNSAVED_RBX},
        {"caml_ml_array_bound_error", PLAN_COUNT, PLAN_REASON_UNSAVED_RBX},
        {"Builtins_InterpreterEntryTrampoline", PLAN_REFUSED, PLAN_REASON_SPECIAL_ABI},
        {"caml_alloc_string", PLAN_FULL, PLAN_REASON_NONE},
        {"camlot", PLAN_FULL, PLAN_REASON_NONE},
        {"get_info", PLAN_FULL, PLAN_REASON_NONE},
        {"base_GHCziBase_map_info", PLAN_FULL, PLAN_REASON_NONE}, /* it returns: so it is no Haskell code */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct patch_plan plan = plan_bytes(cases[i].symbol, plain, sizeof(plain));

        if (plan.mode != cases[i].mode || plan.reason != cases[i].reason)
            fail_msg("%s: mode %d, reason %d", cases[i].symbol, plan.mode, plan.reason);
    }
}

static void test_haskell(void **state)
{
    /* add rbp, 8; mov rax, r14; jmp [rbp] */
    static const uint8_t closure[] = {0x48, 0x83, 0xC5, 0x08, 0x4C, 0x89, 0xF0, 0xFF, 0x65, 0x00};
    /* xor edi, edi; nop; nop; nop; jmp +0x1000 */
    static const uint8_t wrapper[] = {0x31, 0xFF, 0x90, 0x90, 0x90, 0xE9, 0x00, 0x10, 0x00, 0x00};

    (void)state;
    assert_int_equal(plan_bytes("Main_main_info", closure, sizeof(closure)).reason, PLAN_REASON_UNSAVED_RBX);
    assert_int_equal(plan_bytes("Main_main", closure, sizeof(closure)).reason, PLAN_REASON_NONE);
    assert_int_equal(plan_bytes("base_GHCziBase_map_info", wrapper, sizeof(wrapper)).reason, PLAN_REASON_UNSAVED_RBX);
    assert_int_equal(plan_bytes("stg_ap_p_fast", wrapper, sizeof(wrapper)).reason, PLAN_REASON_UNSAVED_RBX);
    assert_int_equal(plan_bytes("get_info", wrapper, sizeof(wrapper)).reason, PLAN_REASON_NONE);
}

/* In an object that has Haskell code, names are enough. */
static void test_haskell_object(void **state)
{
    static const uint8_t wrapper[] = {0x31, 0xFF, 0x90, 0x90, 0x90, 0xE9, 0x00, 0x10, 0x00, 0x00};
    static const struct {
        const char *symbol;
        enum plan_reason reason;
    } cases[] = {
        {"Main_main_info", PLAN_REASON_UNSAVED_RBX},
        {"stg_catchzh", PLAN_REASON_UNSAVED_RBX},
        {"__stg_gc_enter_1", PLAN_REASON_UNSAVED_RBX},
        {"createThread", PLAN_REASON_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan_request request = {.symbol = cases[i].symbol,
                                       .code = wrapper,
                                       .code_bytes = sizeof(wrapper),
                                       .function_bytes = sizeof(wrapper),
                                       .address = ADDRESS};
        struct patch_plan plan;

        plan_function(&request, &plan);
        assert_int_equal(plan.reason, PLAN_REASON_NONE);
        request.is_haskell = true;
        plan_function(&request, &plan);
        assert_int_equal(plan.reason, cases[i].reason);
    }
}

static void test_every_reason_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(plan_reason_text(PLAN_REASON_NONE), "");
    for (int reason = 1; reason < PLAN_REASON_COUNT_; reason++) {
        assert_true(strlen(plan_reason_text(reason)) > 10);
        assert_string_not_equal(plan_reason_text(reason), "unknown reason");
        for (int other = 1; other < reason; other++)
            assert_string_not_equal(plan_reason_text(reason), plan_reason_text(other));
    }
}

static void test_nothing_is_refused(void **state)
{
    struct plan_request request = {.symbol = "f"};
    struct patch_plan plan;

    (void)state;
    plan_function(&request, &plan);
    assert_int_equal(plan.mode, PLAN_REFUSED);
    assert_int_equal(plan.reason, PLAN_REASON_TOO_SHORT);
}

/* A plan that is not refused keeps its promises, whatever the bytes. */
static void check_plan(const struct patch_plan *plan, const uint8_t *code, size_t bytes)
{
    struct plan_relocated copy;
    struct diag diag = {""};
    size_t end = 0;

    if (plan->mode == PLAN_REFUSED) {
        assert_int_not_equal(plan->reason, PLAN_REASON_NONE);
        return;
    }
    assert_true(plan->window_bytes >= PLAN_JUMP_BYTES && plan->window_bytes <= PLAN_WINDOW_BYTES_MAX);
    assert_true((size_t)plan->skip_bytes + plan->window_bytes <= bytes);
    assert_memory_equal(plan->original, code + plan->skip_bytes, plan->window_bytes);
    for (size_t i = 0; i < plan->instruction_count; i++) {
        assert_int_equal(plan->instructions[i].offset, end);
        end += plan->instructions[i].length;
    }
    assert_int_equal(end, plan->window_bytes);
    if (plan_relocate(plan, plan->address + 0x100000, &copy, &diag) == 0)
        assert_true(copy.code_bytes > 0 && copy.code_bytes <= PLAN_RELOCATED_BYTES_MAX);
    else
        assert_string_not_equal(diag.text, "");
}

/* The bytes end where the allocation does, so that a sanitizer sees a read too many. */
static void check_bytes(const uint8_t *code, size_t bytes, bool is_sized)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    struct plan_request request = {.code = copy, .code_bytes = bytes, .address = ADDRESS};
    struct patch_plan plan;

    assert_non_null(copy);
    memcpy(copy, code, bytes);
    request.function_bytes = is_sized ? bytes : 0;
    request.has_shadow_stack = bytes % 3 == 0;
    plan_function(&request, &plan);
    check_plan(&plan, copy, bytes);
    request.function_bytes = bytes / 2;
    request.next_symbol = bytes / 3;
    request.cold = copy;
    request.cold_bytes = bytes;
    request.cold_address = ADDRESS + bytes;
    plan_function(&request, &plan);
    check_plan(&plan, copy, bytes);
    free(copy);
}

static void test_any_bytes(void **state)
{
    uint8_t code[96];

    (void)state;
    for (size_t bytes = 0; bytes <= sizeof(plain); bytes++)
        check_bytes(plain, bytes, true);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t bytes = random_next() % (sizeof(code) + 1);

        for (size_t i = 0; i < sizeof(code); i++) {
            uint64_t value = random_next();

            /* Real code is full of these; pure noise hardly gets past its first instructions. */
            code[i] = value & 0x100 ? (uint8_t) "\x48\x89\xC3\x90\x8B\x0F\x74\xE8\x05\x24"[value % 10] : (uint8_t)value;
        }
        check_bytes(code, bytes, round & 1);
    }
}

static void fill_section(uint8_t *code, size_t bytes, size_t count, struct patch_plan *plans, struct patch_plan **order)
{
    memset(code, 0x90, bytes);
    for (size_t i = 0; i < count; i++) {
        struct plan_request request = {.function_bytes = 64, .code_bytes = 64};

        request.code = code + i * 64;
        request.address = ADDRESS + i * 64;
        memcpy(code + i * 64, "\x48\x89\xF8\x48\x83\xFA\x10\xC3", 8); /* mov rax, rdi; cmp rdx, 16; ret */
        plan_function(&request, &plans[i]);
        order[count - 1 - i] = &plans[i];
    }
}

static void test_branches_from_elsewhere(void **state)
{
    enum {
        COUNT = 100,
    };
    static uint8_t code[COUNT * 64];
    static struct patch_plan plans[COUNT];
    struct patch_plan *order[COUNT];

    (void)state;
    fill_section(code, sizeof(code), COUNT, plans, order);
    plan_check_branches(order, COUNT, code, sizeof(code), ADDRESS, false);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(plans[i].mode, PLAN_FULL);
        assert_ptr_equal(order[i], &plans[i]);
    }
    memcpy(code + 90 * 64 + 16, "\xE9\xAE\xF9\xFF\xFF", 5);     /* jmp to function 65, + 3 */
    memcpy(code + 10 * 64 + 16, "\xEB\x31", 2);                 /* jmp to function 11, + 3 */
    memcpy(code + 20 * 64 + 16, "\x0F\x84\x2A\x00\x00\x00", 6); /* je to function 21 itself */
    memcpy(code + 40 * 64 + 16, "\x0F\x8F\x2D\x00\x00\x00", 6); /* jg to function 41, + 3 */
    memcpy(code + 30 * 64 + 16, "\xEB\x32", 2);                 /* jmp to function 31, + 4: inside of cmp */
    plan_check_branches(order, COUNT, code, sizeof(code), ADDRESS, false);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(plans[i].reason,
                         i == 65 || i == 11 || i == 31 || i == 41 ? PLAN_REASON_JUMP_INTO_WINDOW : PLAN_REASON_NONE);
}

enum {
    SECTION_BYTES = 256,
    WINDOW = 128, /* where the one planned function of a section begins */
};

/* mov rax, rdi; cmp rdx, 16; ret */
static const uint8_t answering[] = {0x48, 0x89, 0xF8, 0x48, 0x83, 0xFA, 0x10, 0xC3};

/* The plan of that function, held against a section that ends at `bytes`. */
static struct patch_plan check_section(uint8_t *code, size_t bytes)
{
    struct patch_plan plan;
    struct patch_plan *plans[] = {&plan};
    const struct plan_request request = {.code = code + WINDOW,
                                         .code_bytes = sizeof(answering),
                                         .function_bytes = sizeof(answering),
                                         .address = ADDRESS + WINDOW};

    memcpy(code + WINDOW, answering, sizeof(answering));
    plan_function(&request, &plan);
    assert_int_equal(plan.mode, PLAN_FULL);
    plan_check_branches(plans, 1, code, bytes, ADDRESS, false);
    return plan;
}

static void put_far(uint8_t *code, size_t at, const char *opcode, size_t target)
{
    size_t length = strlen(opcode);
    int32_t relative = (int32_t)(target - (at + length + 4));

    memcpy(code + at, opcode, length);
    memcpy(code + at + length, &relative, 4);
}

static void test_answers_in_flags(void **state)
{
    static const struct {
        const char *behind; /* the call; ends in ret (0xC3), which is put there */
        enum plan_mode mode;
    } cases[] = {
        {"", PLAN_FULL},
        {"\x70\x10", PLAN_COUNT},                 /* jo */
        {"\x7F\x10", PLAN_COUNT},                 /* jg */
        {"\x6F\x10", PLAN_FULL},                  /* outs */
        {"\x0F\x80\x10\x10\x10\x10", PLAN_COUNT}, /* jo near */
        {"\x0F\x8F\x10\x10\x10\x10", PLAN_COUNT},
        {"\x0F\x90\xC0", PLAN_COUNT}, /* seto al */
        {"\x0F\x9F\xC0", PLAN_COUNT},
        {"\x41\x0F\x92\xC0", PLAN_COUNT}, /* setb r8b */
        {"\x0F\x40\xC1", PLAN_COUNT},     /* cmovo */
        {"\x48\x0F\x4F\xC1", PLAN_COUNT}, /* cmovg */
        {"\x0F\xA2", PLAN_FULL},          /* cpuid */
        {"\x0F\x57\xC0", PLAN_FULL},      /* xorps */
        {"\x11\xC8", PLAN_COUNT},         /* adc */
        {"\x48\x19\xC0", PLAN_COUNT},     /* sbb rax, rax */
        {"\x83\xD0\x01", PLAN_COUNT},     /* adc eax, 1 */
        {"\x83\xD8\x01", PLAN_COUNT},     /* sbb eax, 1 */
        {"\x83\xC0\x01", PLAN_FULL},      /* add */
        {"\x83\xE0\x01", PLAN_FULL},      /* and */
        {"\x83\xF8\x01", PLAN_FULL},      /* cmp */
        {"\x83\xC8\x01", PLAN_FULL},      /* or */
        {"\x01\xC8", PLAN_FULL},          /* add */
        {"\x21\xC8\x74\x10", PLAN_FULL},  /* and; je */
        {"\x85\xC0\x74\x10", PLAN_FULL},  /* test; je */
        {"\x50\x74\x10", PLAN_COUNT},     /* push; je */
        {"\x5F\x74\x10", PLAN_COUNT},     /* pop */
        {"\x41\x5F\x74\x10", PLAN_COUNT}, /* pop r15 */
        {"\x88\xC1\x74\x10", PLAN_COUNT}, /* mov of each form */
        {"\x8B\xC1\x74\x10", PLAN_COUNT},
        {"\x48\x89\xC1\x74\x10", PLAN_COUNT},
        {"\x48\x8D\x47\x08\x74\x10", PLAN_COUNT}, /* lea */
        {"\xB0\x01\x74\x10", PLAN_COUNT},
        {"\xBF\x01\x01\x01\x01\x74\x10", PLAN_COUNT},
        {"\xC6\x07\x01\x74\x10", PLAN_COUNT},
        {"\xC7\x07\x01\x01\x01\x01\x74\x10", PLAN_COUNT},
        {"\x0F\x28\xC1\x74\x10", PLAN_COUNT}, /* movaps */
        {"\x0F\x29\xC1\x74\x10", PLAN_COUNT},
        {"\x0F\xB6\xC0\x74\x10", PLAN_COUNT}, /* movzx */
        {"\x0F\x58\xC1\x74\x10", PLAN_FULL},  /* addps: not among those that are passed over */
        {"\x87\xC1\x74\x10", PLAN_FULL},      /* xchg, neither */
        {"\x89\xC1\x89\xC1\x89\xC1\x74\x10", PLAN_COUNT},
        {"\x89\xC1\x89\xC1\x89\xC1\x89\xC1\x74\x10", PLAN_FULL}, /* too far away */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t code[SECTION_BYTES];
        struct patch_plan plan;

        memset(code, 0xC3, sizeof(code));
        put_far(code, 16, "\xE8", WINDOW);
        memcpy(code + 21, cases[i].behind, strlen(cases[i].behind));
        plan = check_section(code, sizeof(code));
        if (plan.mode != cases[i].mode || plan.reason != (plan.mode == PLAN_COUNT ? PLAN_REASON_FLAGS_OUT : 0))
            fail_msg("case %zu: mode %d, reason %d", i, plan.mode, plan.reason);
        for (size_t bytes = 21; bytes < 24; bytes++) /* what is read is there: a sanitizer sees the rest */
            check_section(code, bytes);
    }
}

/* Branches of every form into the third byte of the window, up to the last bytes of the section. */
static void test_branches_at_the_ends(void **state)
{
    static const char *const far[] = {"\xE8", "\xE9", "\x0F\x80", "\x0F\x8F"};
    static const uint8_t near[] = {0x70, 0x7F, 0xEB, 0xE0, 0xE1, 0xE2, 0xE3};
    static const uint8_t none[] = {0x6F, 0x80, 0xEA, 0xEC, 0xDF, 0xE4};
    uint8_t code[SECTION_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        for (int is_last = 0; is_last < 2; is_last++) {
            size_t length = strlen(far[i]) + 4;
            size_t bytes = 160;
            size_t at = is_last ? bytes - length : 0;

            memset(code, 0xC3, sizeof(code));
            put_far(code, at, far[i], WINDOW + 3);
            assert_int_equal(check_section(code, bytes).reason, PLAN_REASON_JUMP_INTO_WINDOW);
            if (is_last)
                assert_int_equal(check_section(code, bytes - 1).reason, PLAN_REASON_NONE);
            put_far(code, at, far[i], WINDOW + 7); /* behind the window */
            assert_int_equal(check_section(code, bytes).reason, PLAN_REASON_NONE);
            put_far(code, at, far[i], WINDOW + 6);
            assert_int_equal(check_section(code, bytes).reason, PLAN_REASON_JUMP_INTO_WINDOW);
            put_far(code, at, far[i], WINDOW); /* its first byte: an ordinary jump or call */
            assert_int_equal(check_section(code, bytes).reason, PLAN_REASON_NONE);
        }
    }
    for (size_t i = 0; i < sizeof(near); i++) {
        memset(code, 0xC3, sizeof(code));
        code[158] = near[i];
        code[159] = (uint8_t)(WINDOW + 3 - 160);
        assert_int_equal(check_section(code, 160).reason, PLAN_REASON_JUMP_INTO_WINDOW);
        assert_int_equal(check_section(code, 159).reason, PLAN_REASON_NONE);
        code[158] = i < sizeof(none) ? none[i] : 0;
        assert_int_equal(check_section(code, 160).reason, PLAN_REASON_NONE);
    }
}

/* A string that looks like `jo` into the window; with less than 16 characters in a row it is taken for code. */
static void test_text_between_functions(void **state)
{
    static const struct {
        size_t before; /* characters in front of the branch, and from it on */
        size_t from;
        bool is_text;
    } cases[] = {
        {14, 2, true},  {13, 2, false}, {0, 16, true},  {0, 15, false},
        {8, 8, true},   {8, 7, false},  {15, 1, false}, /* the branch ends behind the text */
        {30, 1, false}, {30, 2, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t code[SECTION_BYTES];
        size_t at = WINDOW + 3 - 2 - (cases[i].from > 1 ? ' ' : 0x10);

        memset(code, 0xC3, sizeof(code));
        memset(code + at - cases[i].before, 'P', cases[i].before + cases[i].from);
        code[at] = 'p';
        code[at + 1] = cases[i].from > 1 ? ' ' : 0x10;
        if ((check_section(code, sizeof(code)).reason == PLAN_REASON_NONE) != cases[i].is_text)
            fail_msg("%zu and %zu characters", cases[i].before, cases[i].from);
    }
}

static void check_look(const ZydisDecoder *decoder, const uint8_t *code, size_t bytes)
{
    struct look quick, slow;

    if (!look_at_plain(code, bytes, &quick))
        return;
    assert_true(look_at_any(decoder, code, bytes, &slow));
    assert_int_equal(quick.length, slow.length);
    assert_int_equal(quick.kind, slow.kind);
    assert_int_equal(quick.relative, slow.relative);
    assert_int_equal(quick.base, slow.base);
    assert_int_equal(quick.disp, slow.disp);
    assert_int_equal(quick.has_immediate, slow.has_immediate);
    assert_int_equal(quick.immediate, slow.immediate);
    assert_int_equal(quick.has_index, slow.has_index);
    assert_int_equal(quick.is_address, slow.is_address);
    assert_int_equal(slow.registers & ~quick.registers, 0);
    assert_int_equal(slow.operands & ~quick.operands, 0);
    for (size_t cut = 0; cut < quick.length && code[bytes - 1] < 16; cut++)
        assert_false(look_at(decoder, code, cut, &slow));
}

/* All opcodes with all of ModRM, one SIB byte each, under each prefix. */
static void check_opcodes(const ZydisDecoder *decoder, const uint8_t *prefix, size_t prefix_bytes)
{
    for (unsigned opcode = 0; opcode < 512; opcode++) {
        for (unsigned modrm = 0; modrm < 256; modrm++) {
            uint8_t code[24];
            size_t at = prefix_bytes;

            for (size_t i = 0; i < sizeof(code); i++)
                code[i] = (uint8_t)random_next();
            memcpy(code, prefix, prefix_bytes);
            if (opcode >= 256)
                code[at++] = 0x0F;
            code[at++] = (uint8_t)opcode;
            code[at] = (uint8_t)modrm;
            check_look(decoder, code, sizeof(code));
        }
    }
}

static void test_quick_decoder(void **state)
{
    static const uint8_t legacy[][2] = {{0}, {0x66}, {0xF2}, {0xF3}, {0x66, 0xF2}, {0xF2, 0x66}, {0x66, 0x66}};
    static const size_t legacy_bytes[] = {0, 1, 1, 1, 2, 2, 2};
    ZydisDecoder decoder;

    (void)state;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t i = 0; i < sizeof(legacy_bytes) / sizeof(legacy_bytes[0]); i++) {
        for (unsigned rex = 0x3F; rex < 0x50; rex++) { /* 0x3F: none */
            uint8_t prefix[3];
            size_t bytes = legacy_bytes[i];

            memcpy(prefix, legacy[i], bytes);
            if (rex >= 0x40)
                prefix[bytes++] = (uint8_t)rex;
            check_opcodes(&decoder, prefix, bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_haskell),
        cmocka_unit_test(test_haskell_object),
        cmocka_unit_test(test_every_reason_has_a_text),
        cmocka_unit_test(test_nothing_is_refused),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_branches_from_elsewhere),
        cmocka_unit_test(test_answers_in_flags),
        cmocka_unit_test(test_branches_at_the_ends),
        cmocka_unit_test(test_text_between_functions),
        cmocka_unit_test(test_quick_decoder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
