/* Leaves a handler of a fault in some way, or is disturbed in it, and faults again. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "crash-masks.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void *unseen[5];
static jmp_buf plain_escape;
static volatile int leaves_by;

static void leave(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    printf("left %d\n", ++calls);
    fflush(stdout);
    if (leaves_by == 0)
        siglongjmp(escape, 1);
    if (leaves_by == 1)
        longjmp(plain_escape, 1);
    __builtin_longjmp(unseen, 1);
}

/* The mask is put back, and the program survives. */
static void run_restored(void)
{
    leaves_by = 0;
    install(SIGSEGV, leave, 0, 0);
    for (volatile int i = 0; i < 1000; i++)
        if (sigsetjmp(escape, 1) == 0)
            crash_here();
    printf("truth crash_here abandoned=1000\n");
}

/* It is not, and the second fault ends the program. */
static void run_plain(void)
{
    leaves_by = 1;
    install(SIGSEGV, leave, 0, 0);
    if (_setjmp(plain_escape) == 0)
        crash_here();
    show_own("left");
    crash_here();
}

static void run_unseen(void)
{
    leaves_by = 2;
    install(SIGSEGV, leave, 0, 0);
    if (__builtin_setjmp(unseen) == 0)
        crash_here();
    show_own("left");
    crash_here();
}

/* The program opens the signal by itself, and survives. */
static void open_and_go_on(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    leaves_by = how;
    install(SIGSEGV, leave, 0, 0);
    for (volatile int i = 0; i < 100; i++) {
        if (how == 1 ? _setjmp(plain_escape) == 0 : __builtin_setjmp(unseen) == 0)
            crash_here();
        if (i % 2)
            pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        else
            sigrelse(SIGSEGV);
    }
}

static void run_opened(void)
{
    open_and_go_on(1);
    open_and_go_on(2);
    work(); /* the last jump shows here */
    printf("truth crash_here abandoned=200\ntruth work success=1\n");
}

/* A handler that opens its signal, survives a fault of its own, and then does not. */
static sigjmp_buf inner_escape;

static void probe(int number, siginfo_t *info, void *context)
{
    sigset_t set;

    (void)info;
    (void)context;
    printf("probe %d\n", ++calls);
    fflush(stdout);
    if (calls == 2)
        siglongjmp(inner_escape, 1);
    sigemptyset(&set);
    sigaddset(&set, number);
    if (sigsetjmp(inner_escape, 1) == 0) {
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        fault();
    }
    show_own("probed");
    crash_here();
}

static void run_probe(void)
{
    install(SIGSEGV, probe, 0, 0);
    crash_here();
}

/* A handler that another one interrupts, and that crashes then. */
static void interrupted(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    raise(SIGBUS);
    show_own("behind it");
    crash_here();
}

static void run_interrupted(void)
{
    install(SIGBUS, inner, 0, 0);
    install(SIGSEGV, interrupted, 0, 0);
    crash_here();
}

/* It has a child on its own memory, in a way that nobody sees: what that one does is no business of its parent's. */
static void borrow(int number, siginfo_t *info, void *context)
{
    sigset_t set;
    long child;

    (void)number;
    (void)info;
    (void)context;
    sigemptyset(&set);
    __asm__ volatile("syscall" : "=a"(child) : "a"(SYS_vfork) : "rcx", "r11", "memory");
    if (child == 0) {
        sigprocmask(SIG_SETMASK, &set, NULL);
        sigprocmask(SIG_BLOCK, &set, NULL);
        execv(inherited[0], inherited);
        _exit(1);
    }
    waitpid((pid_t)child, NULL, 0);
    show_own("behind it");
    crash_here();
}

/* Such a child execs at once: what it execs has the mask of the handler. */
static void exec_borrowed(int number, siginfo_t *info, void *context)
{
    long child;

    (void)number;
    (void)info;
    (void)context;
    __asm__ volatile("syscall" : "=a"(child) : "a"(SYS_vfork) : "rcx", "r11", "memory");
    if (child == 0) {
        execv(inherited[0], inherited);
        _exit(1);
    }
    waitpid((pid_t)child, NULL, 0);
    show_own("behind it");
    siglongjmp(escape, 1);
}

static void run_exec_borrowed(void)
{
    run_once(exec_borrowed, SIGFPE);
    signal(SIGSEGV, SIG_DFL);
    printf("truth crash_here abandoned=1\n");
}

static void run_borrowed(void)
{
    install(SIGSEGV, borrow, 0, 0);
    crash_here();
}

/* The other one opens the signal: then the handler is called again. */
static void open_outer(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    sigdelset(&((ucontext_t *)context)->uc_sigmask, SIGSEGV);
}

static void let_in(int number, siginfo_t *info, void *context)
{
    if (++calls == 2)
        siglongjmp(escape, 1);
    interrupted(number, info, context);
}

static void run_let_in(void)
{
    install(SIGBUS, open_outer, 0, 0);
    run_once(let_in, 0);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    printf("truth crash_here abandoned=2\n");
}

/* The handler sets the mask with which its return goes on. */
static void return_blocked(int number, siginfo_t *info, void *context)
{
    ucontext_t *frame = context;

    (void)info;
    printf("returns %d\n", ++calls);
    sigaddset(&frame->uc_sigmask, number);
    frame->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
}

static void run_returned(void)
{
    work();
    install(SIGILL, return_blocked, 0, 0);
    __asm__ volatile("ud2");
    show_own("returned");
    show_kernel("returned, kernel");
    fflush(stdout);
    signal(SIGILL, SIG_DFL);
    printf("truth work success=1\n");
}

/* A handler that uses up the stack for signals. */
static int __attribute__((noinline)) sink(int depth)
{
    volatile char bytes[1024];

    bytes[depth % 1024] = (char)depth;
    return depth == INT32_MAX ? 0 : sink(depth + 1) + bytes[(depth + 1) % 1024];
}

static void overflow(int number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    printf("overflows %d\n", ++calls);
    fflush(stdout);
    answer = sink(number);
}

static void run_overflow(void)
{
    char *low = mmap(NULL, 3 * 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = low + 65536, .ss_size = 65536};

    if (low == MAP_FAILED || mprotect(stack.ss_sp, stack.ss_size, PROT_READ | PROT_WRITE) != 0)
        _exit(98);
    sigaltstack(&stack, NULL);
    install(SIGSEGV, overflow, SA_ONSTACK, 0);
    crash_here();
}

/* A handler's own calls of tracked functions go on being counted. */
static void work_often(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    for (int i = 0; i < 100; i++)
        work();
    siglongjmp(escape, 1);
}

static void run_works(void)
{
    run_once(work_often, 0);
    printf("truth crash_here abandoned=1\ntruth work success=100\n");
}

/* Outside of handlers the kernel has what the program has. */
static void run_blocked(void)
{
    sigset_t set;

    sigfillset(&set);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    show_own("blocked");
    crash_here();
}

static const struct victim_mode modes[] = {
    {"restored", run_restored}, {"plain", run_plain},
    {"unseen", run_unseen},     {"opened", run_opened},
    {"probe", run_probe},       {"interrupted", run_interrupted},
    {"borrowed", run_borrowed}, {"exec-borrowed", run_exec_borrowed},
    {"let-in", run_let_in},     {"returned", run_returned},
    {"overflow", run_overflow}, {"works", run_works},
    {"blocked", run_blocked},   {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
