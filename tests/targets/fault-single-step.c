/* A signal between any two instructions of tracked calls: the handler makes tracked calls, unwinds, forks, switches to
 * a coroutine and back, or jumps out. The first argument says which. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unwind.h>

#include "victim.h"

enum {
    MOST_STEPS = 3000
};

static volatile long steps, jump_at, handled, bad;
static volatile int is_over;
static sigjmp_buf out;
static ucontext_t here, other;
static char other_stack[65536] __attribute__((aligned(16)));
static void (*act)(ucontext_t *);

TRACKED long leaf(long value)
{
    TOUCH();
    return value + 1;
}

TRACKED long by_handler(long value)
{
    TOUCH();
    return value + 2;
}

TRACKED long middle(long value)
{
    long result = leaf(value);

    TOUCH();
    return result + 1;
}

static inline __attribute__((always_inline)) void trap_on(void)
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

static inline __attribute__((always_inline)) void trap_off(void)
{
    __asm__ volatile("pushfq\n\tandq $-0x101, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

/* With a frame pointer: the unwinding tables do not know of the pushes above. */
static __attribute__((noinline, optimize("no-omit-frame-pointer"))) long stepped(long value)
{
    long result;

    trap_on();
    result = middle(value);
    trap_off();
    return result;
}

static void do_calls(ucontext_t *context)
{
    (void)context;
    if (by_handler(1) != 3)
        bad++;
    handled++;
}

struct seen {
    int depth, stepped_at, main_at;
};

extern int main(int argc, char **argv);

static _Unwind_Reason_Code see(struct _Unwind_Context *context, void *argument)
{
    struct seen *seen = argument;
    uintptr_t function = (uintptr_t)_Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(context) - 1));

    seen->depth++;
    if (function == (uintptr_t)stepped)
        seen->stepped_at = seen->depth;
    if (function == (uintptr_t)main)
        seen->main_at = seen->depth;
    return seen->depth > 40 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void do_unwind(ucontext_t *context)
{
    struct seen seen = {0, 0, 0};

    _Unwind_Backtrace(see, &seen);
    if (!seen.stepped_at || !seen.main_at) {
        bad++;
        if (getenv("VERBOSE")) {
            unsigned char *pc = (unsigned char *)context->uc_mcontext.gregs[REG_RIP];

            printf("step %ld: no way out from %p: %02x %02x %02x %02x\n", steps, (void *)pc, pc[0], pc[1], pc[2],
                   pc[3]);
        }
    }
}

static void do_fork(ucontext_t *context)
{
    int status;
    pid_t child = fork();

    (void)context;
    if (child == 0) {
        long result = by_handler(5);

        _exit(result != 7);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        bad++;
}

static void body(void)
{
    for (;;) {
        if (by_handler(1) != 3)
            bad++;
        handled++;
        swapcontext(&other, &here);
    }
}

static void do_swap(ucontext_t *context)
{
    (void)context;
    swapcontext(&here, &other);
}

static void do_jump(ucontext_t *context)
{
    (void)context;
    if (steps == jump_at)
        siglongjmp(out, 1);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    if (is_over)
        return;
    steps++;
    act(context);
}

static void run_through(void)
{
    for (int i = 0; i < 3; i++)
        CHECK(stepped(i) == i + 2);
}

static void jump_everywhere(void)
{
    for (jump_at = 1; jump_at < MOST_STEPS; jump_at++) {
        steps = 0;
        if (sigsetjmp(out, 1) == 0) {
            CHECK(stepped(1) == 3);
            if (steps < jump_at)
                break;
        }
        CHECK(middle(5) == 7);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*act)(ucontext_t *);
    } acts[] = {{"calls", do_calls}, {"unwind", do_unwind}, {"fork", do_fork}, {"swap", do_swap}, {"jump", do_jump}};
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    getcontext(&other);
    other.uc_stack.ss_sp = other_stack;
    other.uc_stack.ss_size = sizeof(other_stack);
    makecontext(&other, body, 0);
    sigaction(SIGTRAP, &action, NULL);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (argc > 1 && strcmp(argv[1], acts[i].name) == 0)
            act = acts[i].act;
    if (!act)
        return 64;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (act == do_jump)
        jump_everywhere();
    else
        run_through();
    is_over = 1;
    CHECK(bad == 0);
    if (getenv("VERBOSE"))
        printf("steps %ld handled %ld bad %ld\n", steps, handled, bad);
    printf("truth middle success=* abandoned=*\n");
    return victim_finish();
}
