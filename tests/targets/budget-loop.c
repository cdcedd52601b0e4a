/* A loop that would spend most of its time in being tracked: calls of a few nanoseconds, one of ten thousand to another
 * function. Works until it is told to stop by SIGUSR1. */
#include "samples.h"
#include "victim.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
    ROUND = 10000,
    SHORT_ROUNDS = 50,
};

static volatile sig_atomic_t is_over;

static void end(int signal)
{
    (void)signal;
    is_over = 1;
}

/* Eight multiplications in a row take some eight nanoseconds. */
TRACKED uint64_t hot(uint64_t value)
{
    for (int i = 0; i < 8; i++)
        __asm__ volatile("imulq %0, %0" : "+r"(value) : : "cc");
    return value;
}

TRACKED int rare(int value)
{
    TOUCH();
    return value + 1;
}

static uint64_t work(void)
{
    uint64_t rounds = 0, value = 3;

    while (!is_over) {
        for (int i = 0; i < ROUND; i++)
            value = hot(value);
        CHECK(value % 2 == 1);
        CHECK(rare(1) == 2);
        rounds++;
    }
    return rounds;
}

static void say(uint64_t rounds)
{
    double calls = (double)rounds * ROUND;

    say_sample("calls_total", "function=\"hot\",outcome=\"success\"", rounds * ROUND);
    say_sample("calls_total", "function=\"rare\",outcome=\"success\"", rounds);
    say_sample("call_duration_seconds_count", "function=\"rare\"", rounds);
    printf("between call_duration_seconds_count{function=\"hot\"} %.0f %.0f\n", calls * 0.95, calls * 1.05);
}

static void begin(void)
{
    signal(SIGUSR1, end);
    puts("running");
    fflush(stdout);
}

static void loop(void)
{
    begin();
    say(work());
}

/* The parent only waits: what its child does is on the same scrape. Ends it when it is told to stop itself. */
static void child(void)
{
    int rounds[2], status;
    uint64_t count = 0;
    pid_t pid;

    CHECK(pipe(rounds) == 0);
    begin();
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody else would end it */
        count = work();
        _exit(write(rounds[1], &count, sizeof(count)) == sizeof(count) ? victim_failures : 100);
    }
    while (!is_over)
        pause();
    kill(pid, SIGUSR1);
    CHECK(read(rounds[0], &count, sizeof(count)) == sizeof(count));
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    say(count);
}

/* Children that come and go: there is hardly ever one that is old enough to be seen twice. */
static void children(void)
{
    uint64_t count = 0;
    int status;

    begin();
    while (!is_over) {
        pid_t pid = fork();

        if (pid == 0) {
            uint64_t value = 3;

            for (int i = 0; i < SHORT_ROUNDS * ROUND; i++)
                value = hot(value);
            _exit(value % 2 == 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        count++;
    }
    say_sample("calls_total", "function=\"hot\",outcome=\"success\"", count * SHORT_ROUNDS * ROUND);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"loop", loop}, {"child", child}, {"children", children}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
