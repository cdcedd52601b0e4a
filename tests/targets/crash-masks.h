/* What the victims share that fault in a handler, or ask for its mask: faults, and ways to show masks. */
#ifndef CALLMETER_TESTS_CRASH_MASKS_H
#define CALLMETER_TESTS_CRASH_MASKS_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "victim.h"

static uintptr_t volatile null_address __attribute__((unused));
static volatile int answer __attribute__((unused));
static volatile int calls __attribute__((unused));

/* What a program that is exec'ed finds blocked. */
static char *const inherited[] __attribute__((unused)) = {(char *)(uintptr_t) "/bin/grep", (char *)(uintptr_t) "SigBlk",
                                                          (char *)(uintptr_t) "/proc/self/status", NULL};

static inline void fault(void)
{
    answer = *(volatile int *)null_address;
}

TRACKED void crash_here(void)
{
    fault();
    TOUCH();
}

TRACKED void work(void)
{
    TOUCH();
}

/* Masks ------------------------------------------------------------------------------------------------------------ */

static inline unsigned long long word_of(const void *mask)
{
    uint64_t word;

    memcpy(&word, mask, sizeof(word));
    return word;
}

static inline void show(const char *what, const void *mask)
{
    printf("%s %llx\n", what, word_of(mask));
    fflush(stdout);
}

/* What the kernel has. */
static inline void show_kernel(const char *what)
{
    uint64_t mask = 0;

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
    show(what, &mask);
}

static inline void show_own(const char *what)
{
    sigset_t mask;

    sigprocmask(SIG_BLOCK, NULL, &mask);
    show(what, &mask);
}

static inline void install(int number, void (*handler)(int, siginfo_t *, void *), int flags, int blocked)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    if (blocked)
        sigaddset(&action.sa_mask, blocked);
    sigaction(number, &action, NULL);
}

/* Once into a handler, which jumps out. */
static sigjmp_buf escape __attribute__((unused));

static inline void run_once(void (*handler)(int, siginfo_t *, void *), int blocked)
{
    install(SIGSEGV, handler, 0, blocked);
    calls = 0;
    if (sigsetjmp(escape, 1) == 0)
        crash_here();
    show_own("after");
    show_kernel("after, kernel");
}

static inline void inner(int number, siginfo_t *info, void *context)
{
    (void)info;
    printf("inner %d\n", number);
    show("interrupted", &((ucontext_t *)context)->uc_sigmask);
    show_own("own");
}

#endif
