/* Leaves tracked calls by non-local jumps of every kind. */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

enum how {
    BY_LONGJMP,
    BY__LONGJMP,
    BY_SIGLONGJMP,
    BY_BUILTIN,
    BY_SIGNAL,
    BY_FAULT,
    NOT,
};

enum {
    ROUNDS = 2000
};

static sigjmp_buf target;
static void *builtin_target[5];
static volatile sig_atomic_t handled;
static volatile int *volatile nowhere;

static _Noreturn void jump(enum how how)
{
    if (how == BY_LONGJMP)
        longjmp(target, 7);
    if (how == BY__LONGJMP)
        _longjmp(target, 7);
    siglongjmp(target, 7);
}

TRACKED int inner(enum how how)
{
    TOUCH();
    switch (how) {
    case BY_BUILTIN:
        __builtin_longjmp(builtin_target, 1);
    case BY_SIGNAL:
        raise(SIGUSR1);
        return 1;
    case BY_FAULT:
        *nowhere = 1;
        return 1;
    case NOT:
        return 0;
    default:
        jump(how);
    }
}

TRACKED int middle(enum how how)
{
    int result = inner(how);

    TOUCH();
    return result + 1;
}

/* A tracked function that is itself jumped back into, and then returns. */
TRACKED int catcher(enum how how)
{
    volatile enum how before = how;
    int value = sigsetjmp(target, how == BY_SIGLONGJMP || how == BY_SIGNAL || how == BY_FAULT);

    if (value == 0)
        return middle(how);
    CHECK(value == 7 && before == how);
    return -1;
}

TRACKED int builtin_catcher(enum how how)
{
    if (__builtin_setjmp(builtin_target) == 0)
        return middle(how) + 1;
    return -1;
}

TRACKED int after(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int in_handler(int signal_number)
{
    handled++;
    siglongjmp(target, signal_number ? 7 : 8);
}

TRACKED int handler_work(int value)
{
    TOUCH();
    return value;
}

static void handler(int signal_number)
{
    handler_work(signal_number);
    in_handler(signal_number);
}

static void install_handler(int signal_number, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    CHECK(sigaction(signal_number, &action, NULL) == 0);
}

static void use_alternate_stack(void)
{
    enum {
        STACK_BYTES = 65536
    };
    stack_t stack = {.ss_size = STACK_BYTES};

    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(sigaltstack(&stack, NULL) == 0);
}

static void jump_often(enum how how)
{
    int caught = 0;

    for (int i = 0; i < ROUNDS; i++) {
        caught += catcher(how) == -1;
        caught += catcher(NOT) == 1;
        after(i);
    }
    CHECK(caught == 2 * ROUNDS);
    printf("truth catcher success=%d\n", 2 * ROUNDS);
    printf("truth middle success=%d abandoned=%d\n", ROUNDS, ROUNDS);
    printf("truth inner success=%d abandoned=%d\n", ROUNDS, ROUNDS);
    printf("truth after success=%d\n", ROUNDS);
}

static void by_longjmp(void)
{
    jump_often(BY_LONGJMP);
}

static void by__longjmp(void)
{
    jump_often(BY__LONGJMP);
}

static void by_siglongjmp(void)
{
    jump_often(BY_SIGLONGJMP);
}

static void by_signal(void)
{
    install_handler(SIGUSR1, 0);
    jump_often(BY_SIGNAL);
    printf("truth handler_work success=%d\n", ROUNDS);
    printf("truth in_handler abandoned=%d\n", ROUNDS);
    CHECK(handled == ROUNDS);
}

static void by_signal_on_alternate_stack(void)
{
    use_alternate_stack();
    install_handler(SIGUSR1, SA_ONSTACK);
    jump_often(BY_SIGNAL);
    printf("truth handler_work success=%d\n", ROUNDS);
    printf("truth in_handler abandoned=%d\n", ROUNDS);
    CHECK(handled == ROUNDS);
}

/* As garbage collectors and Lisp systems do: a fault that the program itself handles and survives. */
static void by_fault(void)
{
    use_alternate_stack();
    install_handler(SIGSEGV, SA_ONSTACK);
    jump_often(BY_FAULT);
    printf("truth handler_work success=%d\n", ROUNDS);
    printf("truth in_handler abandoned=%d\n", ROUNDS);
}

/* Goes past libc: callmeter can only find out later. */
static void by_builtin(void)
{
    int caught = 0;

    for (int i = 0; i < ROUNDS; i++) {
        caught += builtin_catcher(BY_BUILTIN) == -1;
        after(i);
    }
    CHECK(caught == ROUNDS);
    printf("truth builtin_catcher success=%d\n", ROUNDS);
    printf("truth middle abandoned=%d\n", ROUNDS);
    printf("truth inner abandoned=%d\n", ROUNDS);
    printf("truth after success=%d\n", ROUNDS);
}

/* The tracked frames are all left, and nothing tracked is called from the place that is jumped to. */
static void out_of_all(void)
{
    volatile int rounds = 0;

    while (rounds < ROUNDS) {
        if (sigsetjmp(target, 0) == 0)
            middle(BY_LONGJMP);
        rounds++;
    }
    printf("truth middle abandoned=%d\n", ROUNDS);
    printf("truth inner abandoned=%d\n", ROUNDS);
}

/* A jump that passes over the deepest frames only: the outer ones go on and return. */
TRACKED int deep(int depth)
{
    int result;

    TOUCH();
    if (depth == 50)
        return catcher(BY_LONGJMP);
    result = depth == 0 ? 0 : deep(depth - 1);
    TOUCH();
    return result;
}

static void from_the_middle(void)
{
    for (int i = 0; i < 100; i++)
        CHECK(deep(60) == -1);
    printf("truth deep success=1100\n");
    printf("truth catcher success=100\n");
    printf("truth middle abandoned=100\n");
    printf("truth inner abandoned=100\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"longjmp", by_longjmp},
        {"_longjmp", by__longjmp},
        {"siglongjmp", by_siglongjmp},
        {"builtin", by_builtin},
        {"signal", by_signal},
        {"alternate-stack", by_signal_on_alternate_stack},
        {"fault", by_fault},
        {"out-of-all", out_of_all},
        {"from-the-middle", from_the_middle},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
