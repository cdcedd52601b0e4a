/* Has its system calls come to it as SIGSYS, as an emulator of another system does, but for those that its handler
 * makes itself. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "victim.h"

static volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
static volatile int dispatched;
static uintptr_t volatile null_address;

static void handle(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    dispatched = info->si_syscall;
}

TRACKED void call_here(void)
{
    selector = SYSCALL_DISPATCH_FILTER_BLOCK;
    syscall(SYS_getuid);
    TOUCH();
}

TRACKED void crash_here(void)
{
    *(volatile int *)null_address = 1;
    TOUCH();
}

/* The kernel refuses a range of addresses without an end, and the program then faults. */
static void run_refused(void)
{
    printf("refused: %d\n", prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 1, 0, NULL));
    fflush(stdout);
    crash_here();
}

static void run_dispatch(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) == 0)
        for (int i = 0; i < 3; i++) {
            call_here();
            printf("dispatched %d\n", dispatched == SYS_getuid);
        }
    else
        printf("not here: %d\n", errno);
    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
    printf("truth call_here success=%d\n", dispatched ? 3 : 0);
}

static const struct victim_mode modes[] = {
    {"dispatch", run_dispatch},
    {"refused", run_refused},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
