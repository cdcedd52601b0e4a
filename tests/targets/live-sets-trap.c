/* Preloaded behind the shim, so that its threads are there before the shim starts. One stays in a function's first
 * instructions, so that patching takes a while; another sets an action for SIGTRAP meanwhile, comes to a function that
 * is closed, and has a trap of its own. When the program ends it says how that went. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    INT3 = 0xcc,
};

int live_closed(int value);
long live_stays(void);

__asm__(".text\n"
        ".p2align 4\n"
        ".globl live_closed\n"
        ".type live_closed, @function\n"
        "live_closed:\n"
        "push %rbp\n"
        "lea 1(%rdi), %rax\n"
        "pop %rbp\n"
        "ret\n"
        ".size live_closed, . - live_closed\n"
        ".p2align 4\n"
        ".globl live_stays\n"
        ".type live_stays, @function\n"
        "live_stays:\n"
        "push %rbp\n"
        "syscall\n"
        "nop\n"
        "nop\n"
        "pop %rbp\n"
        "ret\n"
        ".size live_stays, . - live_stays\n");

static atomic_int tasks;
static atomic_bool is_set;
static volatile sig_atomic_t traps;
static pthread_t setter;

static void *stay(void *unused)
{
    long number = SYS_pause;

    tasks++;
    __asm__ volatile("call live_stays"
                     : "+a"(number)
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return unused;
}

static void count_trap(int number)
{
    (void)number;
    traps++;
}

static void *set_when_closed(void *unused)
{
    const volatile uint8_t *code = (const uint8_t *)(uintptr_t)live_closed;
    struct sigaction action = {.sa_handler = count_trap};

    tasks++;
    while (*code != INT3)
        sched_yield();
    sigaction(SIGTRAP, &action, NULL);
    is_set = true;
    CHECK(live_closed(1) == 2);
    CHECK(traps == 0);
    __asm__ volatile("int3");
    CHECK(traps == 1);
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    const struct timespec moment = {.tv_nsec = 50000000};
    pthread_t thread;

    pthread_create(&thread, NULL, stay, NULL);
    pthread_create(&setter, NULL, set_when_closed, NULL);
    while (tasks < 2)
        sched_yield();
    nanosleep(&moment, NULL); /* until the first is there, as a rule */
}

__attribute__((destructor)) static void end(void)
{
    struct sigaction action;

    if (!is_set) {
        puts("was not closed");
        return;
    }
    pthread_join(setter, NULL);
    sigaction(SIGTRAP, NULL, &action);
    CHECK(action.sa_handler == count_trap);
    printf("failures: %d\n", victim_failures);
}
