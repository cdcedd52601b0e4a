/* Backtraces taken in a handler, against the return addresses that the functions on the stack saw themselves. The
 * allocator of this program does not return while one is taken. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "preload/control/patching/stub_map.h"
#include "preload/control/reports/backtrace.h"
#include "preload/control/reports/mapped.h"
#include "preload/records/hot.h"

#define FAULT nowhere

enum {
    CHAIN = 5,
    TOO_DEEP = 200,
    JUNK_WORDS = 4096,
    JUNK_STACKS = 2000,
};

/* As the trampoline has it: the caller's return address goes into the record, rbx leads there. Then `function`. */
void fake_trampoline(struct record *record, void (*function)(void));
extern const char fake_trampoline_end[];
/* Calls that with values of its own in the registers that calls preserve. */
void call_with_known_registers(struct record *record, void (*function)(void));

__asm__(".text\n"
        ".globl fake_trampoline, fake_trampoline_end, call_with_known_registers\n"
        "fake_trampoline:\n"
        "    .cfi_startproc\n"
        "    mov (%rsp), %rax\n"
        "    mov %rax, 0(%rdi)\n"
        "    mov %rbx, 8(%rdi)\n"
        "    lea -32(%rsp), %rax\n"
        "    mov %rax, 32(%rdi)\n"
        "    mov %rdi, %rbx\n"
        "    lea 8(%rsp), %rsp\n"
        "    .cfi_def_cfa_offset 0\n"
        "    .cfi_escape 0x10, 16, 2, 0x73, 0\n"
        "    .cfi_escape 0x10, 3, 2, 0x73, 8\n"
        "    call *%rsi\n"
        "    ud2\n"
        "    .cfi_endproc\n"
        "fake_trampoline_end:\n"
        "call_with_known_registers:\n"
        "    .cfi_startproc\n"
        "    mov $0xb1, %ebx\n"
        "    mov $0xb2, %ebp\n"
        "    mov $0xb3, %r12d\n"
        "    mov $0xb4, %r13d\n"
        "    mov $0xb5, %r14d\n"
        "    mov $0xb6, %r15d\n"
        "    call fake_trampoline\n"
        "    ud2\n"
        "    .cfi_endproc\n");

static volatile sig_atomic_t is_in_handler;
static volatile int *volatile nowhere = (volatile int *)16;
static void *returns[CHAIN]; /* of each function of the chain, as it saw it */
static struct backtrace taken;
static size_t depth;
static struct stub_map no_stubs;
static sigjmp_buf out;
static struct record record;
static const struct record *wanted_record = &record;
static struct backtrace_registers registers;
static int record_result;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    is_in_handler = 1;
    backtrace_take(context, depth, 1000000000, &taken);
    record_result = backtrace_to_record(context, wanted_record, &registers);
    is_in_handler = 0;
    siglongjmp(out, 1);
}

/* Runs it with handlers for its fault. */
static void crash(void (*run)(void))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct backtrace_config config = {.stubs = &no_stubs,
                                      .trampolines = (uintptr_t)fake_trampoline,
                                      .trampolines_end = (uintptr_t)fake_trampoline_end};
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};

    mapped_init();
    assert_int_equal(0, backtrace_init(&config));
    assert_int_equal(0, sigaltstack(&alternate, NULL));
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    memset(returns, 0, sizeof(returns));
    memset(&taken, 0, sizeof(taken));
    if (sigsetjmp(out, 1) == 0) {
        run();
        fail_msg("no fault");
    }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

#define FUNCTION    __attribute__((noinline))
#define NOTE(level) (returns[level] = __builtin_return_address(0))
#define TOUCH()     __asm__ volatile("" ::: "memory")

static void (*innermost)(void);

FUNCTION static void third(void)
{
    NOTE(2);
    innermost();
    TOUCH();
}

FUNCTION static void second(int more)
{
    volatile char room[300] = {0};

    NOTE(1);
    room[more] = 1;
    third();
    room[0] = room[more];
}

FUNCTION static void first(void)
{
    NOTE(0);
    second(7);
    TOUCH();
}

/* The frames from `from` on are the callers that the chain saw. */
static void assert_chain(size_t from)
{
    assert_true(taken.count > from + 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)returns[2 - i], taken.frames[from + i].pc);
        assert_false(taken.frames[from + i].is_exact);
    }
}

FUNCTION static void load_nothing(void)
{
    NOTE(3);
    (void)*FAULT;
    TOUCH();
}

static void test_fault(void **state)
{
    (void)state;
    innermost = load_nothing;
    crash(first);
    assert_true(taken.frames[0].is_exact);
    assert_in_range(taken.frames[0].pc, (uintptr_t)load_nothing, (uintptr_t)load_nothing + 64);
    assert_int_equal((uintptr_t)returns[3], taken.frames[1].pc);
    assert_chain(2);
}

static void test_calls_of_bad_pointers(void **state)
{
    static const uintptr_t bad[] = {0, 16, 0x1234567890};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        innermost = (void (*)(void))bad[i];
        crash(first);
        assert_int_equal(bad[i], taken.frames[0].pc);
        /* third() called it: that return address nobody saw, but it lies in there. */
        assert_in_range(taken.frames[1].pc, (uintptr_t)third, (uintptr_t)third + 64);
        assert_chain(2);
    }
}

static void inner_handler(int number)
{
    (void)number;
    load_nothing();
    TOUCH();
}

FUNCTION static void raise_it(void)
{
    NOTE(4);
    signal(SIGUSR1, inner_handler);
    raise(SIGUSR1);
    TOUCH();
}

/* Through the signal's frame, in which the pc is one of an instruction. */
static void test_handler(void **state)
{
    size_t at = 0;

    (void)state;
    innermost = raise_it;
    crash(first);
    assert_in_range(taken.frames[0].pc, (uintptr_t)load_nothing, (uintptr_t)load_nothing + 64);
    assert_in_range(taken.frames[1].pc, (uintptr_t)inner_handler, (uintptr_t)inner_handler + 64);
    /* The restorer and what it goes back to are no return addresses. */
    for (size_t i = 0; i < taken.count; i++)
        assert_int_equal(i == 0 || i == 2 || i == 3, taken.frames[i].is_exact);
    while (at < taken.count && taken.frames[at].pc != (uintptr_t)returns[4])
        at++;
    assert_chain(at + 1);
}

FUNCTION static int recurse(int levels)
{
    int result = levels == 0 ? *FAULT : recurse(levels - 1) + 1;

    TOUCH();
    return result;
}

static void deep(void)
{
    recurse(TOO_DEEP);
}

static void test_depth(void **state)
{
    (void)state;
    crash(deep);
    assert_int_equal(BACKTRACE_FRAMES_MAX, taken.count);
    depth = 3;
    crash(deep);
    assert_int_equal(3, taken.count);
    depth = BACKTRACE_FRAMES_MAX;
}

static void overflow(void)
{
    recurse(INT32_MAX);
}

static void test_stack_overflow(void **state)
{
    (void)state;
    crash(overflow);
    assert_int_equal(BACKTRACE_FRAMES_MAX, taken.count);
}

/* A stack pointer that leads nowhere: the innermost frame is all that there is. */
static void lose_the_stack(void)
{
    __asm__ volatile("xorl %%ebp, %%ebp\n\tmovq $8, %%rsp\n\tpushq %%rax" ::: "memory");
    __builtin_unreachable();
}

static void test_lost_stack(void **state)
{
    (void)state;
    crash(lose_the_stack);
    assert_int_equal(1, taken.count);
}

/* Frames written over with what looks like nothing, and with addresses of code. */
FUNCTION static void smash(uintptr_t with)
{
    volatile uintptr_t *frame = (uintptr_t *)__builtin_frame_address(0);

    for (int i = 0; i < 40; i++)
        frame[i] = with;
    (void)*FAULT;
}

/* With room for the damage: what lies further out is needed again. */
static void smash_with_ones(void)
{
    volatile uintptr_t room[64] = {0};

    smash(UINTPTR_MAX + room[1]);
    TOUCH();
}

static void smash_with_code(void)
{
    volatile uintptr_t room[64] = {0};

    smash((uintptr_t)third + 1 + room[1]);
    TOUCH();
}

static void test_smashed_stack(void **state)
{
    (void)state;
    crash(smash_with_ones);
    assert_true(taken.count >= 1);
    crash(smash_with_code);
    assert_true(taken.count >= 1);
}

/* Uses all the registers that it has to preserve. */
#define CLOBBER() __asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15", "memory")

FUNCTION static void uses_registers(void)
{
    CLOBBER();
    load_nothing();
    CLOBBER();
}

FUNCTION static void tracked(void)
{
    CLOBBER();
    uses_registers();
    CLOBBER();
}

static void clean_up(const int *value)
{
    (void)value;
    TOUCH();
}

FUNCTION static void tracked_with_cleanup(void)
{
    void (*volatile may_throw)(void) = uses_registers;
    int value __attribute__((cleanup(clean_up))) = 1;

    may_throw();
    TOUCH();
}

static void call_tracked(void)
{
    call_with_known_registers(&record, tracked);
}

static void call_tracked_with_cleanup(void)
{
    call_with_known_registers(&record, tracked_with_cleanup);
}

static void test_record(void **state)
{
    static struct record other;

    (void)state;
    crash(call_tracked);
    assert_int_equal(0, record_result);
    assert_int_equal(0xb2, registers.rbp);
    assert_int_equal(0xb3, registers.r12);
    assert_int_equal(0xb4, registers.r13);
    assert_int_equal(0xb5, registers.r14);
    assert_int_equal(0xb6, registers.r15);
    assert_false(registers.has_cleanups);
    assert_int_equal(0xb1, record.caller_rbx);
    /* The trampoline's frame is not one that people see. */
    for (size_t i = 0; i < taken.count; i++)
        assert_false(taken.frames[i].pc >= (uintptr_t)fake_trampoline &&
                     taken.frames[i].pc < (uintptr_t)fake_trampoline_end);

    crash(call_tracked_with_cleanup);
    assert_int_equal(0, record_result);
    assert_true(registers.has_cleanups);

    wanted_record = &other;
    crash(call_tracked);
    assert_int_equal(-ENOENT, record_result);
    wanted_record = &record;
    innermost = load_nothing;
    crash(first);
    assert_int_equal(-ENOENT, record_result);
}

/* A word that may be anything, likely something plausible. */
static uintptr_t junk(const uintptr_t *stack)
{
    static const uintptr_t code[] = {(uintptr_t)first,  (uintptr_t)third,           (uintptr_t)recurse,
                                     (uintptr_t)printf, (uintptr_t)fake_trampoline, (uintptr_t)backtrace_take};
    uintptr_t random = (uintptr_t)rand();

    switch (rand() % 5) {
    case 0:
        return random % 64;
    case 1:
        return random << 33 ^ (uintptr_t)rand();
    case 2:
        return (uintptr_t)&stack[random % JUNK_WORDS];
    default:
        return code[random % (sizeof(code) / sizeof(*code))] + (uintptr_t)rand() % 2000;
    }
}

/* Stacks and registers of junk: there is an end to each, and no fault. */
static void test_junk(void **state)
{
    static uintptr_t stack[JUNK_WORDS];
    ucontext_t context;

    (void)state;
    getcontext(&context);
    srand(1);
    for (int i = 0; i < JUNK_STACKS; i++) {
        for (size_t j = 0; j < JUNK_WORDS; j++)
            stack[j] = junk(stack);
        for (size_t j = REG_R8; j <= REG_RIP; j++)
            context.uc_mcontext.gregs[j] = (greg_t)junk(stack);
        context.uc_mcontext.gregs[REG_RSP] = (greg_t)(i % 8 ? (uintptr_t)&stack[rand() % 64] : junk(stack));
        backtrace_take(&context, BACKTRACE_FRAMES_MAX, 1000000000, &taken);
        assert_in_range(taken.count, 0, BACKTRACE_FRAMES_MAX);
        assert_int_equal(-ENOENT, backtrace_to_record(&context, &record, &registers));
    }
}

static void test_no_time(void **state)
{
    ucontext_t here;

    (void)state;
    getcontext(&here);
    backtrace_take(&here, BACKTRACE_FRAMES_MAX, 0, &taken);
    assert_true(taken.count >= 1);
}

#ifndef __SANITIZE_ADDRESS__
/* glibc's own, behind the names that this program takes over for all of its libraries. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);

void *malloc(size_t bytes)
{
    if (is_in_handler)
        __builtin_trap();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    if (is_in_handler)
        __builtin_trap();
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    if (is_in_handler)
        __builtin_trap();
    return __libc_realloc(memory, bytes);
}

void free(void *memory)
{
    if (is_in_handler)
        __builtin_trap();
    __libc_free(memory);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault),   cmocka_unit_test(test_calls_of_bad_pointers), cmocka_unit_test(test_handler),
        cmocka_unit_test(test_depth),   cmocka_unit_test(test_stack_overflow),        cmocka_unit_test(test_lost_stack),
        cmocka_unit_test(test_record),  cmocka_unit_test(test_smashed_stack),         cmocka_unit_test(test_junk),
        cmocka_unit_test(test_no_time),
    };

    depth = BACKTRACE_FRAMES_MAX;
    return cmocka_run_group_tests_name("backtrace", tests, NULL, NULL);
}
