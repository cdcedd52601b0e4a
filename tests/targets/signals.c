/* Signal handlers that call tracked functions while tracked calls are in progress. */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

enum {
    ENOUGH = 4000,
    THREADS = 4
};

static atomic_int ticks;
static atomic_int works;

TRACKED int in_handler(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int nested_in_handler(int value)
{
    int result = in_handler(value);

    TOUCH();
    return result;
}

TRACKED int inner(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int work(int value)
{
    int result = inner(value);

    TOUCH();
    return result + inner(result);
}

static _Atomic int handled; /* as often as handlers ran, whatever main makes of the ticks */

static void on_tick(int signal_number)
{
    if (nested_in_handler(signal_number) != signal_number + 1)
        _exit(99);
    ticks++;
    handled++;
}

static void start_ticking(int flags)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = flags | SA_RESTART};
    struct itimerval every = {{0, 50}, {0, 50}};

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void stop_ticking(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    sigset_t alarm_set;

    setitimer(ITIMER_REAL, &never, NULL);
    sigemptyset(&alarm_set);
    sigaddset(&alarm_set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_set, NULL);
}

static void *work_until_enough(void *unused)
{
    int mine = 0;

    while (ticks < ENOUGH) {
        CHECK(work(mine) == 2 * mine + 3);
        mine = (mine + 1) % 1000;
        works++;
    }
    return unused;
}

static void say_truth(void)
{
    printf("truth in_handler success=%d\n", ticks);
    printf("truth nested_in_handler success=%d\n", ticks);
    printf("truth work success=%d\n", works);
    printf("truth inner success=%d\n", 2 * works);
}

static void tick_while_working(void)
{
    start_ticking(0);
    work_until_enough(NULL);
    stop_ticking();
    say_truth();
}

/* The handler may interrupt itself. */
static void tick_nested(void)
{
    start_ticking(SA_NODEFER);
    work_until_enough(NULL);
    stop_ticking();
    say_truth();
}

static void tick_on_alternate_stack(void)
{
    stack_t stack = {.ss_size = 65536};

    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(sigaltstack(&stack, NULL) == 0);
    start_ticking(SA_ONSTACK);
    work_until_enough(NULL);
    stop_ticking();
    say_truth();
}

static void tick_among_threads(void)
{
    pthread_t threads[THREADS];

    start_ticking(0);
    for (int t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, work_until_enough, NULL) == 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    stop_ticking();
    say_truth();
}

/* The very first tracked call of the thread may be the handler's. */
static void tick_in_fresh_threads(void)
{
    pthread_t thread;

    start_ticking(0);
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_create(&thread, NULL, work_until_enough, NULL) == 0);
        if (i < 499)
            ticks = ENOUGH; /* ends at once */
        pthread_join(thread, NULL);
    }
    stop_ticking();
    printf("truth in_handler success=%d\ntruth nested_in_handler success=%d\n", handled, handled);
    printf("truth work success=%d\ntruth inner success=%d\n", works, 2 * works);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"main", tick_while_working},
        {"nested", tick_nested},
        {"alternate-stack", tick_on_alternate_stack},
        {"threads", tick_among_threads},
        {"fresh-threads", tick_in_fresh_threads},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
