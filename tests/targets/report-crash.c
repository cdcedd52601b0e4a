/* Dies in various places, each time with the same calls behind it: main -> outer -> inner -> the place. `inner` is
 * meant to be tracked, and what a mode names beside it. With a second argument it first waits for its standard input.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "report-library.h"
#include "victim.h"

static int *volatile nowhere = NULL;
static int (*volatile no_function)(int) = NULL;
static volatile int depth_wanted = 1 << 30;

/* In a tracked function: the mode's name is what main calls. */
TRACKED int inner_faults(int value)
{
    value += *nowhere;
    TOUCH();
    return value;
}

TRACKED int helper(int value)
{
    char room[200];

    memset(room, value, sizeof(room));
    value += *nowhere + room[7];
    TOUCH();
    return value;
}

/* In a function that a tracked one calls. */
TRACKED int inner_calls(int value)
{
    int result = helper(value + 1);

    TOUCH();
    return result + 1;
}

/* In the first instruction of a tracked function, which has been moved elsewhere: the fault is in the load. */
TRACKED int first_load(const int *pointer)
{
    return *pointer + 1;
}

TRACKED int inner_moved(int value)
{
    int result = first_load(nowhere);

    TOUCH();
    return result + value;
}

/* In moved instructions behind pushes. */
TRACKED int pushes(const int *pointer, int a, int b);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl pushes\n"
        ".type pushes, @function\n"
        "pushes:\n"
        "    .cfi_startproc\n"
        "    push %rbx\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset rbx, 0\n"
        "    push %r12\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset r12, 0\n"
        "    mov (%rdi), %eax\n"
        "    pop %r12\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore r12\n"
        "    pop %rbx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    .cfi_restore rbx\n"
        "    add %esi, %eax\n"
        "    add %edx, %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size pushes, . - pushes\n");

TRACKED int inner_pushed(int value)
{
    int result = pushes(nowhere, value, 1);

    TOUCH();
    return result + value;
}

/* A call in the moved instructions: its frame is that of the function's own code. */
TRACKED int calls_first(int value);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl calls_first\n"
        ".type calls_first, @function\n"
        "calls_first:\n"
        "    .cfi_startproc\n"
        "    push %rax\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    call helper\n"
        "    pop %rdx\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    add $3, %eax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size calls_first, . - calls_first\n");

TRACKED int inner_call_moved(int value)
{
    int result = calls_first(value);

    TOUCH();
    return result + value;
}

/* Calls of what is no function. */
TRACKED int inner_null_call(int value)
{
    int result = no_function(value);

    TOUCH();
    return result + 1;
}

/* In a library without symbols, that calls back. */
static int call_back(int value)
{
    value += *nowhere;
    TOUCH();
    return value;
}

TRACKED int inner_library(int value)
{
    int result = library_calls(call_back, value);

    TOUCH();
    return result + 1;
}

TRACKED int inner_library_fault(int value)
{
    int result = library_faults(nowhere, value);

    TOUCH();
    return result + 1;
}

/* In a signal handler. */
static void handler(int number)
{
    helper(number);
    TOUCH();
}

TRACKED int inner_handler(int value)
{
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    TOUCH();
    return value;
}

/* abort() and assert() are several calls deep in libc. */
TRACKED int inner_abort(int value)
{
    if (value > 0)
        abort();
    return value;
}

/* Out of stack, in a tracked recursion. */
TRACKED int recurse(int levels)
{
    int result = levels == 0 ? 0 : recurse(levels - 1) + 1;

    TOUCH();
    return result;
}

TRACKED int inner_overflow(int value)
{
    int result = recurse(depth_wanted);

    TOUCH();
    return result + value;
}

static const struct {
    const char *name;
    int (*run)(int);
} modes[] = {
    {"faults", inner_faults},         {"calls", inner_calls},
    {"moved", inner_moved},           {"pushed", inner_pushed},
    {"call-moved", inner_call_moved}, {"null-call", inner_null_call},
    {"library", inner_library},       {"library-fault", inner_library_fault},
    {"handler", inner_handler},       {"abort", inner_abort},
    {"overflow", inner_overflow},
};

TRACKED int outer(int (*run)(int), int value)
{
    int result = run(value);

    TOUCH();
    return result + 1;
}

int main(int argc, char **argv)
{
    struct rlimit small = {1 << 20, 1 << 20};

    if (argc > 2)
        (void)!read(STDIN_FILENO, &(char){0}, 1); /* until somebody has looked around */
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) {
            if (modes[i].run == inner_overflow)
                setrlimit(RLIMIT_STACK, &small);
            return outer(modes[i].run, argc);
        }
    }
    fprintf(stderr, "usage: %s MODE\n", argv[0]);
    return 64;
}
