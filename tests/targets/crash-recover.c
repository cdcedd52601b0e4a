/* A toy service, whose manifest says that a fault in `parse` is an answer of -1. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <time.h>

#include "victim.h"

enum {
    REQUESTS = 100000,
    THREADS = 4,
};

static uintptr_t volatile null_address;
static volatile int answer;
static volatile int zero;

/* Calls function(argument) with marks in all registers that a call preserves. Returns its result, and 1 << 32 more for
 * each that was not preserved; the stack pointer and the direction of strings are among them. */
uint64_t call_marked(int (*function)(int), int argument);

__asm__(".text\n"
        ".globl call_marked\n"
        ".type call_marked, @function\n"
        "call_marked:\n"
        ".cfi_startproc\n"
        "pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n"
        "pushq %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbp, 0\n"
        "pushq %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r12, 0\n"
        "pushq %r13\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r13, 0\n"
        "pushq %r14\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r14, 0\n"
        "pushq %r15\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset r15, 0\n"
        "pushq $0\n.cfi_adjust_cfa_offset 8\n"
        "movq %rsp, (%rsp)\n"
        "movl $0x1111, %ebx\nmovl $0x2222, %ebp\nmovl $0x3333, %r12d\n"
        "movl $0x4444, %r13d\nmovl $0x5555, %r14d\nmovl $0x6666, %r15d\n"
        "movq %rdi, %rax\nmovl %esi, %edi\n"
        "call *%rax\n"
        "movl %eax, %eax\n"
        "pushfq\n.cfi_adjust_cfa_offset 8\n"
        "popq %rdx\n.cfi_adjust_cfa_offset -8\n"
        "cld\n"
        "andl $0x400, %edx\n" /* the direction */
        "shlq $24, %rdx\n"
        "addq %rdx, %rax\n"
        "movabsq $0x100000000, %rcx\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x1111, %rbx\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x2222, %rbp\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x3333, %r12\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x4444, %r13\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x5555, %r14\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq $0x6666, %r15\ncmovneq %rdx, %rax\n"
        "leaq (%rax,%rcx), %rdx\ncmpq %rsp, (%rsp)\ncmovneq %rdx, %rax\n"
        "addq $8, %rsp\n.cfi_adjust_cfa_offset -8\n"
        "popq %r15\n.cfi_adjust_cfa_offset -8\n"
        "popq %r14\n.cfi_adjust_cfa_offset -8\n"
        "popq %r13\n.cfi_adjust_cfa_offset -8\n"
        "popq %r12\n.cfi_adjust_cfa_offset -8\n"
        "popq %rbp\n.cfi_adjust_cfa_offset -8\n"
        "popq %rbx\n.cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size call_marked, . - call_marked\n");

/* Changes all registers that it must preserve before it faults, with the x87 stack and the direction as no caller wants
 * them. */
static int __attribute__((noinline)) fail_deep(int depth)
{
    volatile long double value = depth;

    if (depth > 0)
        return fail_deep(depth - 1) + (int)value;
    __asm__ volatile("std\n\tfld1\n\tfld1\n\t"
                     "xorl %%ebx, %%ebx\n\txorl %%r12d, %%r12d\n\txorl %%r13d, %%r13d\n\t"
                     "xorl %%r14d, %%r14d\n\txorl %%r15d, %%r15d\n\tmovl (%%rbx), %%eax\n\t"
                     "fstp %%st\n\tfstp %%st\n\tcld"
                     :
                     :
                     : "rax", "rbx", "r12", "r13", "r14", "r15", "memory", "cc");
    return answer;
}

static int compare(const void *a, const void *b)
{
    (void)a;
    (void)b;
    return *(volatile int *)null_address;
}

static int __attribute__((noinline)) sink(int depth)
{
    volatile char room[1024];

    room[depth % 1024] = (char)depth;
    return depth == INT32_MAX ? 0 : sink(depth + 1) + room[(depth + 1) % 1024];
}

static void on_signal(int number)
{
    (void)number;
    answer = *(volatile int *)null_address;
}

/* Writes over its caller's frame, and what lies above it. */
static void __attribute__((noinline)) smash(volatile int *words)
{
    for (int i = 0; i < 64; i++)
        words[i] = 0;
    answer = *(volatile int *)null_address;
}

/* The child has its parent's memory, but the call in progress is not its own to leave. What ends it. */
static int __attribute__((noinline)) crash_in_vfork(void)
{
    pid_t child = vfork();
    int status = 0;

    if (child == 0) {
        answer = *(volatile int *)null_address;
        _exit(1);
    }
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

enum {
    GOOD,
    BAD,
    DIVISION = 20,
    ABORT,
    RAISE,
    OVERFLOW,
    LIBRARY,
    CALLBACK,
    HANDLER,
    CALL_NULL,
    VFORKED,
    OVERWRITTEN,
    DEEP,
};

TRACKED int parse(int request)
{
    int numbers[] = {3, 1, 2};

    switch (request) {
    case GOOD:
        answer = 1;
        break;
    case DIVISION:
        answer = numbers[0] / zero;
        break;
    case ABORT:
        abort();
    case RAISE:
        raise(SIGSEGV);
        break;
    case OVERFLOW:
        answer = sink(0);
        break;
    case LIBRARY:
        answer = (int)strlen((const char *)null_address);
        break;
    case CALLBACK:
        qsort(numbers, 3, sizeof(numbers[0]), compare);
        break;
    case HANDLER:
        signal(SIGUSR1, on_signal);
        raise(SIGUSR1);
        break;
    case VFORKED:
        answer = crash_in_vfork();
        break;
    case OVERWRITTEN:
        smash(numbers);
        break;
    case DEEP:
        answer = fail_deep(100);
        break;
    case CALL_NULL:
        ((void (*)(void))null_address)();
        break;
    default:
        answer = fail_deep(request % 8);
    }
    return answer;
}

TRACKED int outer(int request)
{
    int result = parse(request);

    TOUCH();
    return result == -1 ? -2 : result;
}

/* No recover. */
TRACKED int frail(int request)
{
    answer = *(volatile int *)null_address;
    return request;
}

static void *serve(void *context)
{
    static volatile int failures;
    unsigned requests = *(const unsigned *)context;

    for (unsigned i = 0; i < requests; i++) {
        volatile long double x = 1.5L, y = 2.5L;

        if (call_marked(outer, BAD + (int)(i % 8)) != (uint32_t)-2 || x + y != 4.0L)
            failures++;
        if (call_marked(outer, GOOD) != 1)
            failures++;
    }
    CHECK(failures == 0);
    return NULL;
}

static void run_often(void)
{
    unsigned requests = REQUESTS;

    serve(&requests);
    printf("truth parse success=%d panic=%d\n", REQUESTS, REQUESTS);
    printf("truth outer success=%d\n", 2 * REQUESTS);
}

static void run_threads(void)
{
    unsigned requests = REQUESTS / 20;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, serve, &requests);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("truth parse success=%u panic=%u\n", THREADS * requests, THREADS * requests);
    printf("truth outer success=%u\n", 2 * THREADS * requests);
}

static void run_few(void)
{
    for (int i = 0; i < 5; i++)
        CHECK(outer(BAD) == -2);
    CHECK(outer(DIVISION) == -2);
    CHECK(outer(CALL_NULL) == -2);
    printf("truth parse panic=7\n");
    printf("truth outer success=7\n");
}

static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int lines = 0;

    CHECK(maps != NULL);
    for (int letter; (letter = fgetc(maps)) != EOF;)
        lines += letter == '\n';
    fclose(maps);
    return lines;
}

/* Faults come to an alternate stack that has room for a signal's frame and little else. */
static void run_cramped(void)
{
    size_t bytes = getauxval(AT_MINSIGSTKSZ) + 1024;
    stack_t stack = {.ss_sp = malloc(bytes), .ss_size = bytes};
    int before;

    CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
    CHECK(mappings() > 0 && outer(BAD) == -2);
    before = mappings();
    for (int i = 0; i < 100; i++)
        CHECK(outer(BAD) == -2);
    CHECK(mappings() < before + 50); /* the endpoint may begin meanwhile */
    printf("truth parse panic=101\n");
    printf("truth outer success=101\n");
}

#define WAY(name, request)                                                                                             \
    static void run_##name(void)                                                                                       \
    {                                                                                                                  \
        printf("%d\n", parse(request));                                                                                \
    }

WAY(bad, BAD)
WAY(abort, ABORT)
WAY(raise, RAISE)
WAY(overflow, OVERFLOW)
WAY(library, LIBRARY)
WAY(callback, CALLBACK)
WAY(handler, HANDLER)
WAY(overwritten, OVERWRITTEN)
WAY(deep, DEEP)

/* What is pending stays so. */
static void run_pending(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    CHECK(outer(BAD) == -2);
    sigpending(&set);
    CHECK(sigismember(&set, SIGPIPE));
    printf("truth parse panic=1\n");
    printf("truth outer success=1\n");
}

/* Left by a jump that puts no mask back, the handler leaves its signal blocked. */
static jmp_buf escape;

static void leave_blocked(int number)
{
    (void)number;
    siglongjmp(escape, 1);
}

static void run_blocked(void)
{
    signal(SIGSEGV, leave_blocked);
    if (sigsetjmp(escape, 0) == 0)
        answer = *(volatile int *)null_address;
    signal(SIGSEGV, SIG_DFL);
    printf("%d\n", parse(BAD));
}

static void run_frail(void)
{
    printf("%d\n", frail(1));
}

/* One thread's panic ends the program, slowly; the other one's faults are recovered from until then. */
static void *die(void *context)
{
    (void)context;
    frail(1);
    return NULL;
}

static void run_meanwhile(void)
{
    pthread_t thread;

    CHECK(parse(BAD) == -1);
    pthread_create(&thread, NULL, die, NULL);
    while (parse(BAD) == -1)
        TOUCH();
}

static void run_vforked(void)
{
    CHECK(outer(VFORKED) == SIGSEGV);
    CHECK(outer(BAD) == -2);
    CHECK(outer(GOOD) == 1);
    printf("truth parse success=2 panic=1\n");
    printf("truth outer success=3\n");
}

/* What ends is a child of vfork, not the program. */
static void run_vforked_exit(void)
{
    pid_t child = vfork();
    int status = 0;

    if (child == 0)
        quick_exit(5);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    CHECK(outer(BAD) == -2);
    printf("truth parse panic=1\n");
    printf("truth outer success=1\n");
}

static void run_untracked(void)
{
    answer = *(volatile int *)null_address;
}

static void run_twice(void)
{
    struct timespec before;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &before);
    printf("%d\n", parse(BAD));
    do /* reports are named by the millisecond */
        clock_gettime(CLOCK_REALTIME, &now);
    while (now.tv_sec == before.tv_sec && now.tv_nsec < before.tv_nsec + 2000000);
    printf("%d\n", parse(BAD));
}

static void at_exit(void)
{
    parse(BAD);
}

static void run_exit(void)
{
    atexit(at_exit);
    exit(3);
}

/* main returns. */
static void run_end(void)
{
    atexit(at_exit);
}

__attribute__((constructor)) static void start(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "start") == 0)
        parse(BAD);
}

static void run_start(void)
{
    puts("started");
}

static const struct victim_mode modes[] = {
    {"often", run_often},
    {"threads", run_threads},
    {"few", run_few},
    {"cramped", run_cramped},
    {"bad", run_bad},
    {"abort", run_abort},
    {"raise", run_raise},
    {"overflow", run_overflow},
    {"library", run_library},
    {"callback", run_callback},
    {"handler", run_handler},
    {"overwritten", run_overwritten},
    {"deep", run_deep},
    {"pending", run_pending},
    {"blocked", run_blocked},
    {"frail", run_frail},
    {"meanwhile", run_meanwhile},
    {"vforked", run_vforked},
    {"vforked-exit", run_vforked_exit},
    {"untracked", run_untracked},
    {"twice", run_twice},
    {"exit", run_exit},
    {"end", run_end},
    {"start", run_start},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
