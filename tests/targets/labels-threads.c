/* Threads, processes and signal handlers that bring new values of one label at the same time. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    THREADS = 8,
    CHILDREN = 8,
    VALUES = 90,
    ROUNDS = 200,
    OWN_VALUES = 500, /* of each thread */
    OWN_ROUNDS = 20,
    STEPS = 4000,
    STEP_ROUNDS = 3,
    VICTIMS = 64,
    VALUES_OF_VICTIM = 150,
    SIGNALS = 1500
};

static pthread_barrier_t start_together;

TRACKED int by_name(const char *name, int number)
{
    TOUCH();
    return *name + number;
}

static void call(const char *prefix, int number)
{
    char name[32];

    snprintf(name, sizeof(name), "%s%d", prefix, number);
    CHECK(by_name(name, number) == *prefix + number);
}

static void say(const char *prefix, int number, uint64_t calls)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "function=\"by_name\",name=\"%s%d\"", prefix, number);
    say_outcomes(labels, &(struct outcomes){.success = calls});
}

static void run_threads(void *(*run)(void *))
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&start_together, NULL, THREADS);
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *give_same(void *unused)
{
    pthread_barrier_wait(&start_together);
    for (int i = 0; i < VALUES * ROUNDS; i++)
        call("v", i % VALUES);
    return unused;
}

/* All threads see each value first at about the same time. */
static void same(void)
{
    run_threads(give_same);
    for (int i = 0; i < VALUES; i++)
        say("v", i, THREADS * ROUNDS);
    printf("series calls_active{function=\"by_name\"} %d\n", VALUES);
    say_sample("label_overflows_total", "function=\"by_name\",label=\"name\"", 0);
}

static void *give_own(void *number)
{
    const char prefix[] = {(char)('a' + (int)(intptr_t)number), '\0'};

    pthread_barrier_wait(&start_together);
    for (int i = 0; i < OWN_VALUES * OWN_ROUNDS; i++)
        call(prefix, i % OWN_VALUES);
    return NULL;
}

/* Each call of the first round brings a value. */
static void own(void)
{
    run_threads(give_own);
    for (int i = 0; i < THREADS * OWN_VALUES; i++)
        say((const char[]){(char)('a' + i / OWN_VALUES), '\0'}, i % OWN_VALUES, OWN_ROUNDS);
    printf("series calls_active{function=\"by_name\"} %d\n", THREADS * OWN_VALUES);
}

static void *give_in_step(void *unused)
{
    static _Atomic unsigned steps;

    for (unsigned i = 0; i < STEPS; i++) {
        steps++;
        while (steps < 2 * (i + 1))
            ;
        for (int round = 0; round < STEP_ROUNDS; round++)
            call("s", (int)i);
    }
    return unused;
}

/* Two threads at the first call of each value, as close as can be. */
static void in_step(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, give_in_step, NULL);
    give_in_step(NULL);
    pthread_join(thread, NULL);
    for (int i = 0; i < STEPS; i++)
        say("s", i, 2 * STEP_ROUNDS);
}

/* The same, of which most do not fit: whichever they are, the sum is exact. */
static void folded(void)
{
    run_threads(give_own);
    printf("total calls_total{function=\"by_name\"} %d\n", THREADS * OWN_VALUES * OWN_ROUNDS);
    printf("total call_duration_seconds_count{function=\"by_name\"} %d\n", THREADS * OWN_VALUES * OWN_ROUNDS);
    printf("total calls_active{function=\"by_name\"} 0\n");
}

static void wait_for_all(void)
{
    int status;

    while (wait(&status) > 0)
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Children and their parent give the same values, and each some of its own. */
static void forked(void)
{
    fflush(stdout);
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            for (int j = 0; j < VALUES * ROUNDS; j++)
                call("v", j % VALUES);
            call("child", i);
            _exit(victim_failures);
        }
    }
    for (int j = 0; j < VALUES * ROUNDS; j++)
        call("v", j % VALUES);
    wait_for_all();
    for (int i = 0; i < VALUES; i++)
        say("v", i, (CHILDREN + 1) * ROUNDS);
    for (int i = 0; i < CHILDREN; i++)
        say("child", i, 1);
    printf("series calls_active{function=\"by_name\"} %d\n", VALUES + CHILDREN);
}

static atomic_bool is_over;

static void *give_until_over(void *unused)
{
    for (int i = 0; !is_over; i++)
        call("t", i % VALUES);
    return unused;
}

/* Children are forked while other threads are in the middle of bringing new values. */
static void forked_amid(void)
{
    pthread_t threads[2];

    fflush(stdout);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, give_until_over, NULL);
    for (int i = 0; i < 4 * CHILDREN; i++) {
        if (fork() == 0) {
            for (int j = 0; j < 20; j++)
                call("child", 20 * i + j);
            _exit(victim_failures);
        }
    }
    wait_for_all();
    is_over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4 * CHILDREN * 20; i++)
        say("child", i, 1);
}

/* Brings a value with each call, and then waits to be killed. */
static pid_t start_child(int number, atomic_int *calls)
{
    pid_t child = fork();

    if (child != 0)
        return child;
    for (int i = 0; i < VALUES_OF_VICTIM; i++) {
        call("killed", 1000 * number + i);
        atomic_fetch_add(calls, 1);
    }
    for (;;)
        pause();
}

/* Children are killed at any instruction while they bring values, some within the bringing: the others go on. */
static void killed(void)
{
    atomic_int *calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    fflush(stdout);
    for (int i = 0; i < VICTIMS; i++) {
        pid_t child = start_child(i, &calls[i]);

        while (atomic_load(&calls[i]) < i)
            TOUCH();
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        call("parent", i);
    }
    for (int i = 0; i < VICTIMS; i++)
        say("parent", i, 1);
}

static pthread_t interrupted_thread;
static atomic_int handled;

static void handle(int signal)
{
    (void)signal;
    call("h", handled);
    handled++;
}

/* One signal after another, each as soon as the one before was handled. */
static void *interrupt(void *unused)
{
    for (int i = 0; i < SIGNALS; i++) {
        pthread_kill(interrupted_thread, SIGUSR1);
        while (handled == i)
            TOUCH();
    }
    return unused;
}

/* A handler interrupts calls that bring values at any instruction, and makes such calls itself. */
static void interrupted(void)
{
    pthread_t thread;
    int calls = 0;

    interrupted_thread = pthread_self();
    signal(SIGUSR1, handle);
    pthread_create(&thread, NULL, interrupt, NULL);
    while (handled < SIGNALS)
        call("v", calls++ % (2 * SIGNALS));
    pthread_join(thread, NULL);
    printf("total calls_total{function=\"by_name\",outcome=\"success\"} %d\n", calls + handled);
    printf("total calls_active{function=\"by_name\"} 0\n");
    for (int i = 0; i < SIGNALS; i++)
        say("h", i, 1);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"same", same},       {"own", own},
                                               {"in_step", in_step}, {"folded", folded},
                                               {"forked", forked},   {"forked_amid", forked_amid},
                                               {"killed", killed},   {"interrupted", interrupted},
                                               {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
