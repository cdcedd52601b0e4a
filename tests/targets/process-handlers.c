/* Signal handlers that fork, at any moment of tight loops of tracked calls: the child returns into the loop, goes a few
 * turns of it, and leaves. */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

enum {
    FORKS = 400,
    TURNS = 10,
    STEPS_MAX = 3000,
    STACK_BYTES = 65536
};

static volatile sig_atomic_t forks;
static volatile sig_atomic_t is_child;

TRACKED int work(int value)
{
    TOUCH();
    return value < 0 ? -1 : value + 1;
}

TRACKED int around(int value)
{
    int result = work(value);

    TOUCH();
    return result;
}

TRACKED int in_handler(int value)
{
    pid_t child = fork();

    if (child == 0)
        is_child = 1;
    TOUCH();
    return child < 0 ? -1 : value;
}

static void arm(void)
{
    const struct itimerval soon = {.it_value = {0, 50 + rand() % 50}};

    setitimer(ITIMER_REAL, &soon, NULL);
}

static void on_alarm(int number)
{
    int saved_errno = errno;

    (void)number;
    if (!is_child && forks < FORKS) {
        forks++;
        CHECK(in_handler(1) == 1);
        if (!is_child && forks < FORKS)
            arm();
    }
    errno = saved_errno;
}

static void install(int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};

    sigaction(SIGALRM, &action, NULL);
}

/* The parent goes on beside its children, which nobody waits for. */
static void loop(void)
{
    long left = TURNS;

    arm();
    while (forks < FORKS || is_child) {
        for (int i = 0; i < 50; i++)
            around(i);
        if (is_child && --left == 0)
            _exit(0);
    }
}

/* How many of the children had yet to end the call that was interrupted, only the instruction tells. All of them end.
 */
static void run(int flags)
{
    install(flags);
    signal(SIGCHLD, SIG_IGN);
    loop();
    signal(SIGALRM, SIG_IGN);
    while (wait(NULL) > 0)
        ;
    puts("truth around success=*");
    puts("truth work success=*");
    printf("truth in_handler success=%d\n", 2 * FORKS);
}

static void on_own_stack(void)
{
    run(SA_RESTART);
}

static void on_alternate_stack(void)
{
    stack_t stack = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};

    sigaltstack(&stack, NULL);
    run(SA_RESTART | SA_ONSTACK);
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
static __attribute__((noinline, optimize("no-omit-frame-pointer"))) int stepped(int value)
{
    int result;

    trap_on();
    result = around(value);
    trap_off();
    return result;
}

static void on_step(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    pid_t child = forks < STEPS_MAX ? fork() : -1;

    (void)number;
    (void)info;
    if (child == 0)
        is_child = 1;
    else
        forks++;
    if (child == 0 || forks >= STEPS_MAX)
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
    if (child > 0)
        CHECK(waitpid(child, NULL, 0) == child);
    errno = saved_errno;
}

/* The child is made at each instruction of a tracked call and of the one in it. */
static void at_each_instruction(void)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

    sigaction(SIGTRAP, &action, NULL);
    for (int i = 0; i < 10; i++) /* the first calls of a thread go a longer way */
        around(i);
    for (int i = 0; i < 3; i++) {
        CHECK(stepped(i) == i + 1);
        if (is_child)
            _exit(0);
    }
    signal(SIGTRAP, SIG_DFL);
    CHECK(forks > 3 * 5);
    puts("truth around success=*");
    puts("truth work success=*");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"own-stack", on_own_stack},
        {"alternate-stack", on_alternate_stack},
        {"each-instruction", at_each_instruction},
        {NULL, NULL},
    };

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    return victim_main(argc, argv, modes);
}
