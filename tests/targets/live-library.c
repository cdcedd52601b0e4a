/* Functions hot_0 to hot_199 return their argument and 1. Their first instructions are of all the shapes that a jump
 * has to be fitted into, at addresses of all alignments: one that the jump just covers, one- and two-byte ones in
 * front, several short ones. With LIVE_BLOCK_TRAPS in the environment, one thread blocks all signals. */
#include "live-library.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum {
    THREADS = 8,
    ROUND = 16,
};

/* name, alignment, bytes in front, code */
#define HOT(name, offset, code)                                                                                        \
    __asm__(".text\n.p2align 6\n.skip " #offset ", 0x90\n.globl " #name "\n.type " #name ", @function\n" #name         \
            ":\n" code ".size " #name ", . - " #name "\n.p2align 4\n");

/* Five bytes in one instruction; one byte, then three; two bytes, then three; two of one byte; four bytes, then one. */
#define HOT_5(n, o) HOT(hot_##n##0, o, "mov $1, %eax\nadd %rdi, %rax\nret\n")
#define HOT_1(n, o) HOT(hot_##n##1, o, "push %rbp\nmov %rsp, %rbp\nlea 1(%rdi), %rax\npop %rbp\nret\n")
#define HOT_2(n, o) HOT(hot_##n##2, o, "push %r12\nmov %rdi, %r12\nlea 1(%r12), %rax\npop %r12\nret\n")
#define HOT_11(n, o)                                                                                                   \
    HOT(hot_##n##3, o, "push %rbp\npush %rbx\nlea 1(%rdi), %rbx\nmov %rbx, %rax\npop %rbx\npop %rbp\nret\n")
#define HOT_4(n, o)  HOT(hot_##n##4, o, "lea 1(%rdi), %rax\nret\n")
#define HOT_23(n, o) HOT(hot_##n##5, o, "xor %eax, %eax\nadd %rdi, %rax\ninc %rax\nret\n")
#define HOT_7(n, o)  HOT(hot_##n##6, o, "lea 1(%rdi,%rdi), %rax\nsub %rdi, %rax\nret\n")
#define HOT_3(n, o)  HOT(hot_##n##7, o, "mov %rdi, %rax\nadd $1, %rax\nret\n")
#define HOT_1N(n, o) HOT(hot_##n##8, o, "nop\nlea 1(%rdi), %rax\nret\n")
#define HOT_E(n, o)  HOT(hot_##n##9, o, "endbr64\npush %rbx\nmov %rdi, %rbx\nlea 1(%rbx), %rax\npop %rbx\nret\n")
#define TEN(n, o)                                                                                                      \
    HOT_5(n, o)                                                                                                        \
    HOT_1(n, o) HOT_2(n, o) HOT_11(n, o) HOT_4(n, o) HOT_23(n, o) HOT_7(n, o) HOT_3(n, o) HOT_1N(n, o) HOT_E(n, o)

/* Ten at each offset in their cache line. */
TEN(, 0)
TEN(1, 16)
TEN(2, 1)
TEN(3, 3)
TEN(4, 4)
TEN(5, 6)
TEN(6, 7)
TEN(7, 8)
TEN(8, 10)
TEN(9, 12)
TEN(10, 13)
TEN(11, 15)
TEN(12, 24)
TEN(13, 32)
TEN(14, 40)
TEN(15, 48)
TEN(16, 55)
TEN(17, 60)
TEN(18, 61)
TEN(19, 62)

#define DECLARE_TEN(n)                                                                                                 \
    extern long hot_##n##0(long), hot_##n##1(long), hot_##n##2(long), hot_##n##3(long), hot_##n##4(long),              \
        hot_##n##5(long), hot_##n##6(long), hot_##n##7(long), hot_##n##8(long), hot_##n##9(long);
#define LIST_TEN(n)                                                                                                    \
    hot_##n##0, hot_##n##1, hot_##n##2, hot_##n##3, hot_##n##4, hot_##n##5, hot_##n##6, hot_##n##7, hot_##n##8,        \
        hot_##n##9,
#define ALL(each)                                                                                                      \
    each() each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12) each(13) \
        each(14) each(15) each(16) each(17) each(18) each(19)

ALL(DECLARE_TEN)

static long (*const functions[LIVE_FUNCTIONS])(long) = {ALL(LIST_TEN)};
static pthread_t threads[THREADS];
static volatile bool is_stopping;
static _Atomic unsigned long calls[LIVE_FUNCTIONS];
static _Atomic unsigned long wrong_results;

static struct live_state states[THREADS];

EXPORTED void live_note_state(struct live_state *state)
{
    stack_t stack;

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &state->mask, sizeof(state->mask));
    syscall(SYS_rt_sigaction, SIGTRAP, NULL, state->trap_action, sizeof(state->mask));
    sigaltstack(NULL, &stack);
    state->stack_low = (unsigned long)stack.ss_sp;
    state->stack_bytes = stack.ss_size;
    state->stack_flags = (unsigned long)stack.ss_flags;
}

EXPORTED const struct live_state *live_states(int *ret_count)
{
    *ret_count = THREADS;
    return states;
}

static void call(int i, long argument)
{
    if (functions[i](argument) != argument + 1)
        wrong_results++;
}

static void *call_all(void *number)
{
    unsigned long mine[LIVE_FUNCTIONS] = {0};
    int at = (int)(long)number * LIVE_FUNCTIONS / THREADS;
    sigset_t all;

    sigfillset(&all);
    if (getenv("LIVE_BLOCK_TRAPS") && number == NULL)
        pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_stopping) {
        for (int i = 0; i < ROUND; i++)
            call(at, i);
        mine[at] += ROUND;
        at = (at + 1) % LIVE_FUNCTIONS;
    }
    for (int i = 0; i < LIVE_FUNCTIONS; i++)
        calls[i] += mine[i];
    live_note_state(&states[(long)number]);
    return NULL;
}

__attribute__((constructor)) static void start(void)
{
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_all, (void *)i);
}

EXPORTED void live_stop(unsigned long *ret_calls)
{
    is_stopping = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < LIVE_FUNCTIONS; i++)
        ret_calls[i] = calls[i];
}

EXPORTED void live_call_each(unsigned long count)
{
    for (int i = 0; i < LIVE_FUNCTIONS; i++)
        for (unsigned long n = 0; n < count; n++)
            call(i, (long)n);
}

EXPORTED unsigned long live_wrong_results(void)
{
    return wrong_results;
}
