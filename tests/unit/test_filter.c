/* Filters of system calls, run by machine/filter.c and, in a child, by the kernel: both have the same answer. */
#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/machine/filter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    PAGE = 4096,
    PARTS_MAX = 10,
    AROUND = 6, /* instructions before and behind the parts */
    REFUSED = 254,
    WITHOUT_FILTERS = 255,
};

/* The parts leave a value in A, below REFUSED. */
struct row {
    const char *name;
    struct sock_filter parts[PARTS_MAX];
    int value; /* REFUSED: the kernel takes no such filter */
};

#define JUMPS(name, kind, bound, value)                                                                                \
    {                                                                                                                  \
        name,                                                                                                          \
            {BPF_STMT(BPF_LD | BPF_IMM, 40), BPF_JUMP(BPF_JMP | (kind) | BPF_K, bound, 0, 1),                          \
             BPF_STMT(BPF_LD | BPF_IMM, 1)},                                                                           \
            value                                                                                                      \
    }
/* 40 in A where it does not hold, else 1; the bound is in X. */
#define JUMPS_X(name, kind, bound, value)                                                                              \
    {                                                                                                                  \
        name,                                                                                                          \
            {BPF_STMT(BPF_LDX | BPF_IMM, bound), BPF_STMT(BPF_LD | BPF_IMM, 40),                                       \
             BPF_JUMP(BPF_JMP | (kind) | BPF_X, 0, 0, 1), BPF_STMT(BPF_LD | BPF_IMM, 1)},                              \
            value                                                                                                      \
    }
#define COMPUTES(name, kind, operand, value)                                                                           \
    {                                                                                                                  \
        name, {BPF_STMT(BPF_LD | BPF_IMM, 40), BPF_STMT(BPF_ALU | (kind) | BPF_K, operand)}, value                     \
    }

static const struct row rows[] = {
    JUMPS("equal", BPF_JEQ, 40, 1),
    JUMPS("not equal", BPF_JEQ, 41, 40),
    JUMPS("greater", BPF_JGT, 39, 1),
    JUMPS("not greater", BPF_JGT, 40, 40),
    JUMPS("greater as a number without sign", BPF_JGT, UINT32_MAX, 40),
    JUMPS("greater or equal", BPF_JGE, 40, 1),
    JUMPS("neither", BPF_JGE, 41, 40),
    JUMPS("a common bit", BPF_JSET, 9, 1),
    JUMPS("no common bit", BPF_JSET, 7, 40),
    JUMPS_X("equal to X", BPF_JEQ, 40, 1),
    JUMPS_X("greater than X", BPF_JGT, 40, 40),
    JUMPS_X("at least X", BPF_JGE, 40, 1),
    COMPUTES("sum", BPF_ADD, 2, 42),
    COMPUTES("difference", BPF_SUB, 2, 38),
    COMPUTES("product", BPF_MUL, 3, 120),
    COMPUTES("quotient", BPF_DIV, 3, 13),
    COMPUTES("by nothing", BPF_DIV, 0, REFUSED),
    COMPUTES("and", BPF_AND, 12, 8),
    COMPUTES("or", BPF_OR, 3, 43),
    COMPUTES("exclusive or", BPF_XOR, 9, 33),
    COMPUTES("left", BPF_LSH, 2, 160),
    COMPUTES("right", BPF_RSH, 2, 10),
    COMPUTES("modulo", BPF_MOD, 7, REFUSED),
    {"negative",
     {BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 25)},
     127},
    {"a jump over two",
     {BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_JMP | BPF_JA, 2), BPF_STMT(BPF_LD | BPF_IMM, 6),
      BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 10)},
     15},
    {"memory",
     {BPF_STMT(BPF_LD | BPF_IMM, 11), BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LDX | BPF_IMM, 12),
      BPF_STMT(BPF_STX, BPF_MEMWORDS - 1), BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS - 1), BPF_STMT(BPF_LDX | BPF_MEM, 0),
      BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0)},
     132},
    {"memory behind the last", {BPF_STMT(BPF_ST, BPF_MEMWORDS)}, REFUSED},
    {"X to A", {BPF_STMT(BPF_LDX | BPF_IMM, 21), BPF_STMT(BPF_MISC | BPF_TXA, 0)}, 21},
    {"A to X",
     {BPF_STMT(BPF_LD | BPF_IMM, 21), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0)},
     42},
    {"length", {BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)}, sizeof(struct seccomp_data)},
    {"number", {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))}, SYS_getppid},
    {"processor",
     {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 127)},
     62},
    {"argument", {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 4)}, 0},
    {"half a word", {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2)}, REFUSED},
    {"behind the data", {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data))}, REFUSED},
};

/* Looks at getppid(2) alone, and has it fail with the value. */
static unsigned build(const struct row *row, struct sock_filter *code)
{
    static const struct sock_filter none = {0};
    unsigned used = 0;

    code[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (unsigned i = 0; i < PARTS_MAX; i++)
        if (row->parts[i].code != none.code || row->parts[i].k != none.k)
            code[used++] = row->parts[i];
    code[used++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
    code[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    return used;
}

static int kernel_answer(struct sock_filter *code, unsigned length)
{
    const struct sock_fprog program = {.len = (unsigned short)length, .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return WITHOUT_FILTERS;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return errno == EINVAL ? REFUSED : WITHOUT_FILTERS;
    return syscall(SYS_getppid) == -1 ? errno : 0;
}

static int in_child(struct sock_filter *code, unsigned length)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(kernel_answer(code, length));
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sock_filter code[PARTS_MAX + AROUND];
        struct filter_state states[COUNT(code)];
        unsigned length = build(&rows[i], code);
        uint32_t expected =
            rows[i].value == REFUSED ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (uint32_t)rows[i].value;
        uint32_t answer = filter_run(code, length, SYS_getppid);
        int kernels = in_child(code, length);

        if (answer != expected || (kernels != WITHOUT_FILTERS && kernels != rows[i].value))
            fail_msg("%s: expected 0x%x, found 0x%x, and the kernel's %d", rows[i].name, expected, answer, kernels);
        assert_int_equal(SECCOMP_RET_ALLOW, filter_run(code, length, SYS_getpid));
        assert_int_equal(FILTER_ALLOWS, filter_ways(code, length, SYS_getpid, states));
        if (rows[i].value != REFUSED)
            assert_true(filter_ways(code, length, SYS_getppid, states) & FILTER_FAILS);
    }
}

/* What ends without a return, or jumps behind the end, is no filter. */
static void test_ends(void **state)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

    (void)state;
    assert_int_equal(SECCOMP_RET_KILL_PROCESS, filter_run(code, COUNT(code), SYS_getpid));
    assert_int_equal(SECCOMP_RET_KILL_PROCESS, filter_run(code, 1, SYS_getpid));
    assert_int_equal(SECCOMP_RET_KILL_PROCESS, filter_run(code, 0, SYS_getpid));
    code[1].jt = 0;
    assert_int_equal(SECCOMP_RET_ALLOW, filter_run(code, COUNT(code), SYS_getpid));
}

/* A program may give anything for a filter. */
static void test_length(void **state)
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *end = pages + 2 * PAGE;
    struct sock_fprog program = {.len = 5, .filter = (struct sock_filter *)end - 5};
    struct sock_fprog *at_end = (struct sock_fprog *)end - 1;

    (void)state;
    assert_true(pages != MAP_FAILED && mprotect(end, PAGE, PROT_NONE) == 0);
    assert_int_equal(filter_length(&program), 5);
    program.len = 6;
    assert_int_equal(filter_length(&program), 0);
    program.len = 2 * PAGE / sizeof(struct sock_filter);
    program.filter = (struct sock_filter *)pages;
    assert_int_equal(filter_length(&program), 2 * PAGE / sizeof(struct sock_filter));
    program.len++;
    assert_int_equal(filter_length(&program), 0);
    program.filter = (struct sock_filter *)end;
    program.len = 1;
    assert_int_equal(filter_length(&program), 0);
    *at_end = (struct sock_fprog){.len = 1, .filter = (struct sock_filter *)pages};
    assert_int_equal(filter_length(at_end), 1);
    assert_int_equal(filter_length((struct sock_fprog *)(end - 8)), 0);
    assert_int_equal(filter_length((struct sock_fprog *)end), 0);
    assert_int_equal(filter_length(NULL), 0);
}

/* Whatever the arguments are, one of the ways is the filter's. */
static void test_ways(void **state)
{
    const struct sock_filter by_argument[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 2),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    };
    const struct sock_filter by_memory[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_STMT(BPF_ST, 3),
        BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LDX | BPF_MEM, 3),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_X, 0),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct filter_state states[COUNT(by_argument)];

    (void)state;
    assert_int_equal(FILTER_KILLS | FILTER_FAILS, filter_ways(by_argument, 7, SYS_socket, states));
    assert_int_equal(FILTER_ALLOWS, filter_ways(by_argument, 7, SYS_getpid, states));
    assert_int_equal(FILTER_ALLOWS | FILTER_FAILS | FILTER_KILLS, filter_ways(by_memory, 6, SYS_getpid, states));
    assert_int_equal(FILTER_KILLS, filter_ways(by_argument, 0, SYS_getpid, states));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_ways),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
