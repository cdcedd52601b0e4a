/* Faults in a function's first instructions, and handlers that know the place by its address.
 *
 *   first_faults, second_faults   dies in that function
 *   skip, retry                   each function faults 1000 times; the handler goes on behind the instruction that
 *                                 faulted, or repairs what it reads */
#include "victim.h"

#include <signal.h>
#include <ucontext.h>

enum {
    ROUNDS = 1000,
};

int first_faults(const int *where, int more);
int second_faults(const int *where, int more);

/* What a jump of five bytes replaces: `mov` and `add`; `lea` and `mov`. */
__asm__(".text\n"
        ".globl first_faults\n"
        ".type first_faults, @function\n"
        "first_faults:\n"
        "    movl (%rdi), %eax\n"
        "    addl $1, %eax\n"
        "    addl %esi, %eax\n"
        "    ret\n"
        ".size first_faults, . - first_faults\n"
        ".globl second_faults\n"
        ".type second_faults, @function\n"
        "second_faults:\n"
        "    leal 1(%rsi), %ecx\n"
        "    movl (%rdi), %eax\n"
        "    addl %ecx, %eax\n"
        "    ret\n"
        ".size second_faults, . - second_faults\n");

static const struct {
    const char *name;
    int (*call)(const int *, int);
    int offset; /* of what faults, two bytes */
} functions[] = {{"first_faults", first_faults, 0}, {"second_faults", second_faults, 3}};

enum {
    FUNCTIONS = sizeof(functions) / sizeof(functions[0]),
};

static const int forty = 40;
static volatile sig_atomic_t current;
static volatile sig_atomic_t elsewhere;
static int is_skipping;

static void handle(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)number;
    (void)info;
    if (registers[REG_RIP] != (greg_t)functions[current].call + functions[current].offset)
        elsewhere++;
    if (is_skipping) {
        registers[REG_RAX] = 40;
        registers[REG_RIP] = (greg_t)functions[current].call + functions[current].offset + 2;
    } else {
        registers[REG_RDI] = (greg_t)&forty;
    }
}

static void survive(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < FUNCTIONS; i++) {
        long sum = 0;

        current = i;
        for (int round = 0; round < ROUNDS; round++)
            sum += functions[i].call(NULL, round);
        printf("%s: sum %ld, handled elsewhere %d\n", functions[i].name, sum, (int)elsewhere);
        printf("truth %s success=%d\n", functions[i].name, ROUNDS);
    }
}

static void skip(void)
{
    is_skipping = 1;
    survive();
}

static void first_dies(void)
{
    first_faults(NULL, 0);
}

static void second_dies(void)
{
    second_faults(NULL, 0);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"skip", skip}, {"retry", survive}, {"first_faults", first_dies}, {"second_faults", second_dies}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
