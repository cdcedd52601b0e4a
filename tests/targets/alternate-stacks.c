/* Alternate signal stacks, as the program sees them: which one a thread has, and what becomes of a stack overflow where
 * the program sets one only if there is none, as runtimes do. Prints what it is told: the same as bare. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <ucontext.h>

#include "victim.h"

static char room[65536];
static volatile int depth;

static void show(const char *what, const stack_t *stack)
{
    printf("%s: %s, %zu bytes%s\n", what,
           stack->ss_sp == room ? "the program's"
           : stack->ss_sp       ? "another"
                                : "none",
           stack->ss_size, stack->ss_flags & SS_ONSTACK ? ", in use" : "");
    fflush(stdout);
}

static void show_own(const char *what)
{
    stack_t stack;

    CHECK(sigaltstack(NULL, &stack) == 0);
    show(what, &stack);
    CHECK((stack.ss_flags == SS_DISABLE) == (stack.ss_size == 0));
}

static void set(bool is_on)
{
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room), .ss_flags = is_on ? 0 : SS_DISABLE};
    stack_t old;

    CHECK(sigaltstack(&stack, &old) == 0);
    show("before", &old);
}

static void handle(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    show("interrupted", &((ucontext_t *)context)->uc_stack);
    show_own("in the handler");
}

TRACKED void raise_here(int flags)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | flags};

    sigaction(SIGSEGV, &action, NULL);
    raise(SIGSEGV);
    signal(SIGSEGV, SIG_DFL);
    TOUCH();
}

static void *ask(void *context)
{
    raise_here(0);
    raise_here(SA_ONSTACK);
    show_own("behind them");
    set(true);
    show_own("set");
    raise_here(0);
    raise_here(SA_ONSTACK);
    show_own("behind them");
    set(false);
    show_own("disabled");
    raise_here(SA_ONSTACK);
    return context;
}

static void run_asks(void)
{
    pthread_t thread;

    show_own("at first");
    ask(NULL);
    pthread_create(&thread, NULL, ask, NULL);
    pthread_join(thread, NULL);
    printf("truth raise_here success=10\n");
}

/* Overflows --------------------------------------------------------------------------------------------------------
 */

#pragma GCC diagnostic ignored "-Winfinite-recursion"

TRACKED int descend(int level)
{
    volatile char frame[1024];

    frame[0] = (char)level;
    depth = level;
    return descend(level + 1) + frame[0];
}

static void tell(int number)
{
    static const char text[] = "the stack has overflowed\n";

    (void)number;
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) > 0)
        abort();
}

static void *overflow(void *context)
{
    struct sigaction action = {.sa_handler = tell, .sa_flags = SA_ONSTACK};
    stack_t stack;

    sigaltstack(NULL, &stack);
    if (stack.ss_flags & SS_DISABLE)
        set(true);
    sigaction(SIGSEGV, &action, NULL);
    descend(0);
    return context;
}

static void run_overflow(void)
{
    overflow(NULL);
}

static void run_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, overflow, NULL);
    pthread_join(thread, NULL);
}

static const struct victim_mode modes[] = {
    {"asks", run_asks},
    {"overflow", run_overflow},
    {"thread", run_thread},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
