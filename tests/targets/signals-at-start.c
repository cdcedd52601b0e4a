/* Signals around the moment in which main begins, which is when callmeter makes its thread: they are the program's
 * first thread's, as there is no other. */
#include "victim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    QUEUED = 3,
    STORM_NS = 50000,
    STORM_SIGNALS = 200,
    CALLS = 100,
};

static volatile sig_atomic_t handled;
static volatile sig_atomic_t handled_elsewhere;
static timer_t storm;
static const char *mode;

static volatile int worked;

TRACKED int work(int value)
{
    worked++;
    return value + 1;
}

static void handle(int number)
{
    int before = errno;

    (void)number;
    handled++;
    handled_elsewhere += syscall(SYS_gettid) != getpid();
    errno = before;
}

static void take(int number)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};

    sigaction(number, &action, NULL);
}

static void begin_pending(void)
{
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    kill(getpid(), SIGUSR1);
    for (int i = 0; i < QUEUED; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
}

static void begin_storm(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec often = {.it_interval = {.tv_nsec = STORM_NS}, .it_value = {.tv_nsec = STORM_NS}};

    CHECK(timer_create(CLOCK_MONOTONIC, &event, &storm) == 0);
    CHECK(timer_settime(storm, 0, &often, NULL) == 0);
}

__attribute__((constructor)) static void begin(int argc, char **argv)
{
    mode = argc > 1 ? argv[1] : "";
    take(SIGUSR1);
    take(SIGTERM);
    take(SIGRTMIN + 1);
    if (!strcmp(mode, "pending"))
        begin_pending();
    else if (!strcmp(mode, "storm"))
        begin_storm();
}

/* What is blocked, and what waits for the thread and for the process. */
static void tell_masks(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "SigPnd", 6) == 0 || strncmp(line, "ShdPnd", 6) == 0 || strncmp(line, "SigBlk", 6) == 0)
            fputs(line, stdout);
    if (file)
        fclose(file);
}

static void end_pending(void)
{
    sigset_t all;

    tell_masks();
    CHECK(handled == 0);
    kill(getpid(), SIGTERM);
    CHECK(handled == 0);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    CHECK(handled == 2 + QUEUED);
}

static void end_storm(void)
{
    sigset_t blocked;
    int before = handled;

    while (handled < before + STORM_SIGNALS)
        TOUCH();
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    CHECK(sigismember(&blocked, SIGUSR1) == 0);
    timer_delete(storm);
}

int main(void)
{
    if (!strcmp(mode, "pending"))
        end_pending();
    else
        end_storm();
    CHECK(handled_elsewhere == 0);
    for (int i = 0; i < CALLS; i++)
        CHECK(work(i) == i + 1);
    printf("truth work success=%d\n", CALLS);
    return victim_finish();
}
