/* Threads on stacks of other places and sizes than those that had their lanes before them: jumps are judged by the
 * stack that the thread has. Those that are to be seen in the scrape stay. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "victim.h"

enum {
    GONE = 40, /* threads that end; lanes of the dead are looked for when there are 16 */
    STAYING = 16,
    DEPTH = 5,
    PAGE = 4096,
    SMALL_BYTES = 64 << 10,
    LARGE_BYTES = 8 << 20,
};

static __thread void *buffer[5]; /* of __builtin_setjmp */
static __thread sigjmp_buf target;
static sem_t is_done;
static volatile int is_stopped; /* never: for the compiler, which would see a recursion without end */

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int jump(int value)
{
    TOUCH();
    if (value >= 0)
        __builtin_longjmp(buffer, 1);
    return value;
}

TRACKED int descend(int depth)
{
    int result;

    if (is_stopped)
        return 0;
    if (depth == 0)
        siglongjmp(target, 1);
    result = descend(depth - 1);
    TOUCH();
    return result + 1;
}

/* No library sees the jump: what it left is found by the next call, if that is known to be on the same stack. */
__attribute__((noinline)) static void jump_unseen(void)
{
    if (__builtin_setjmp(buffer) == 0)
        jump(1);
}

__attribute__((noinline)) static void jump_seen(void)
{
    if (sigsetjmp(target, 0) == 0)
        descend(DEPTH);
}

/* The one that is seen first: it would find what the other one left. */
static void leave_calls(void)
{
    jump_seen();
    work(1);
    jump_unseen();
    work(2);
}

/* A stack between two pages that are no one's, in memory that is there already if `at` says so. */
static char *make_stack(char *at, size_t bytes)
{
    char *low = mmap(at, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

    CHECK(low != MAP_FAILED && mprotect(low + PAGE, bytes, PROT_READ | PROT_WRITE) == 0);
    return low + PAGE;
}

/* The routine posts is_done. */
static void run_on(char *stack, size_t bytes, void *(*routine)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, bytes) == 0);
    CHECK(pthread_create(&thread, &attributes, routine, argument) == 0);
    pthread_attr_destroy(&attributes);
    while (sem_wait(&is_done) != 0)
        ;
    if (argument)
        CHECK(pthread_join(thread, NULL) == 0);
}

/* Stays without an argument. */
static void *leave_in_thread(void *argument)
{
    leave_calls();
    sem_post(&is_done);
    while (!argument)
        pause();
    return NULL;
}

static void run_threads(int count, bool is_staying)
{
    static int ends;

    for (int i = 0; i < count; i++) {
        size_t bytes = i % 2 == 0 ? SMALL_BYTES : LARGE_BYTES;

        run_on(make_stack(NULL, bytes), bytes, leave_in_thread, is_staying ? NULL : &ends);
    }
}

static void say(int threads)
{
    printf("truth work success=%d\n", 2 * threads);
    printf("truth jump abandoned=%d\n", threads);
    printf("truth descend abandoned=%d\n", (DEPTH + 1) * threads);
}

static void jumps(void)
{
    run_threads(GONE, false);
    run_threads(STAYING, true);
    say(GONE + STAYING);
}

/* The child's threads have the lanes of those that were not forked. It stays until the standard input ends. */
static void jumps_in_child(void)
{
    int ready[2];
    char byte;

    run_threads(STAYING, true);
    CHECK(pipe(ready) == 0);
    fflush(stdout);
    if (fork() == 0) {
        run_threads(STAYING, true);
        CHECK(write(ready[1], "x", 1) == 1);
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
        _exit(victim_failures);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    say(2 * STAYING);
}

TRACKED int stay(int value)
{
    sem_post(&is_done);
    while (!is_stopped)
        pause();
    return value;
}

static void *stay_in_thread(void *argument)
{
    stay(1);
    return argument;
}

/* Threads of the parent are within calls, which are none of those that have their lanes in the child, end there, and
 * are found to be gone. */
static void ends_in_child(void)
{
    int ready[2];
    char byte;

    for (int i = 0; i < STAYING; i++)
        run_on(make_stack(NULL, SMALL_BYTES), SMALL_BYTES, stay_in_thread, NULL);
    CHECK(pipe(ready) == 0);
    fflush(stdout);
    if (fork() == 0) {
        run_threads(GONE, false);
        CHECK(write(ready[1], "x", 1) == 1);
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
        _exit(victim_failures);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    say(GONE);
    printf("truth stay active=%d\n", STAYING);
}

/* An alternate stack above that of the thread ---------------------------------------------------------------------- */

static void handle(int number)
{
    (void)number;
    descend(DEPTH);
}

/* Stays: what the jump did not find would be active. */
static void *jump_off_alternate(void *alternate)
{
    const stack_t stack = {.ss_sp = alternate, .ss_size = SMALL_BYTES};

    CHECK(sigaltstack(&stack, NULL) == 0);
    if (sigsetjmp(target, 1) == 0)
        raise(SIGUSR1);
    sem_post(&is_done);
    for (;;)
        pause();
    return NULL;
}

static void alternate_above(void)
{
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    char *area = make_stack(NULL, LARGE_BYTES);
    pthread_attr_t attributes;
    pthread_t thread;

    sigaction(SIGUSR1, &action, NULL);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, make_stack(area, SMALL_BYTES), SMALL_BYTES) == 0);
    CHECK(pthread_create(&thread, &attributes, jump_off_alternate, make_stack(area + LARGE_BYTES / 2, SMALL_BYTES)) ==
          0);
    pthread_attr_destroy(&attributes);
    while (sem_wait(&is_done) != 0)
        ;
    printf("truth descend abandoned=%d\n", DEPTH + 1);
}

/* Coroutines where a thread's stack was -------------------------------------------------------------------------- */

struct pair {
    ucontext_t thread;
    ucontext_t coroutine;
};

static __thread struct pair *pair;

TRACKED void hold(void)
{
    TOUCH();
    swapcontext(&pair->coroutine, &pair->thread);
    TOUCH();
}

/* The coroutine, further down, is no part of the thread's stack. */
static void *suspend_one(void *argument)
{
    pair = calloc(1, sizeof(*pair));
    getcontext(&pair->coroutine);
    pair->coroutine.uc_stack.ss_sp = *(char **)argument;
    pair->coroutine.uc_stack.ss_size = SMALL_BYTES;
    makecontext(&pair->coroutine, hold, 0);
    swapcontext(&pair->thread, &pair->coroutine);
    work(3);
    sem_post(&is_done);
    for (;;)
        pause();
    return NULL;
}

static void run_pair(char *stack, char *coroutine)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, SMALL_BYTES) == 0);
    CHECK(pthread_create(&thread, &attributes, suspend_one, &coroutine) == 0);
    pthread_attr_destroy(&attributes);
    while (sem_wait(&is_done) != 0)
        ;
}

static void coroutines(void)
{
    char *area = make_stack(NULL, LARGE_BYTES);
    static int ends;

    for (int i = 0; i < GONE; i++)
        run_on(area, LARGE_BYTES, leave_in_thread, &ends);
    for (int i = 0; i < STAYING; i++) {
        char *low = area + (size_t)i * (LARGE_BYTES / STAYING);

        run_pair(make_stack(low + LARGE_BYTES / STAYING / 2, SMALL_BYTES), make_stack(low, SMALL_BYTES));
    }
    printf("truth work success=%d\n", 2 * GONE + STAYING);
    printf("truth jump abandoned=%d\n", GONE);
    printf("truth descend abandoned=%d\n", (DEPTH + 1) * GONE);
    printf("truth hold active=%d\n", STAYING);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"jumps", jumps},           {"jumps-in-child", jumps_in_child},   {"ends-in-child", ends_in_child},
        {"coroutines", coroutines}, {"alternate-above", alternate_above}, {NULL, NULL}};

    sem_init(&is_done, 0, 0);
    return victim_main(argc, argv, modes);
}
