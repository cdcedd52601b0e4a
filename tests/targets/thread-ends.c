/* Threads that end in unusual ways and in great numbers around tracked calls, and what they leave behind. VICTIM_SCALE
 * in the environment multiplies the number of threads. */
#include "victim.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "resident.h"

enum {
    TOGETHER = 4,
    SETTLED = 1000, /* threads after which memory has to be what it stays */
    GENERATION = 50,
    RAW_STACK_BYTES = 65536,
};

static int scale = 1;
static pthread_barrier_t barrier;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

/* The thread is gone before glibc knows. */
TRACKED int leave_raw(int value)
{
    TOUCH();
    syscall(SYS_exit, 0);
    return value;
}

TRACKED int leave_raw_deep(int depth)
{
    int result;

    TOUCH();
    result = depth == 0 ? leave_raw(1) : leave_raw_deep(depth - 1);
    TOUCH();
    return result;
}

static pthread_t start(void *(*routine)(void *), void *argument)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, routine, argument) == 0);
    return thread;
}

/* `count` threads, TOGETHER at a time. What the first SETTLED left in memory is all that is left. */
static void run_in_bounded_memory(void *(*routine)(void *), int count)
{
    pthread_t threads[TOGETHER];
    long settled_kb = 0;

    for (int i = 0; i < count; i += TOGETHER) {
        if (i == SETTLED)
            settled_kb = resident_kb();
        for (int t = 0; t < TOGETHER; t++)
            threads[t] = start(routine, NULL);
        for (int t = 0; t < TOGETHER; t++)
            CHECK(pthread_join(threads[t], NULL) == 0);
    }
    resident_check("the threads after the first ones", settled_kb, 1024);
}

static void *start_one_call(void *argument)
{
    work(1);
    return argument;
}

static void million(void)
{
    int count = 20000 * scale;

    run_in_bounded_memory(start_one_call, count);
    printf("truth work success=%d\n", count);
}

static void *start_generation(void *argument)
{
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 20; i++)
        work(i);
    pthread_barrier_wait(&barrier);
    return argument;
}

static void run_generation(void)
{
    pthread_t threads[GENERATION];

    for (int t = 0; t < GENERATION; t++)
        threads[t] = start(start_generation, NULL);
    for (int t = 0; t < GENERATION; t++)
        CHECK(pthread_join(threads[t], NULL) == 0);
}

static void generations(void)
{
    long first_kb;

    pthread_barrier_init(&barrier, NULL, GENERATION);
    run_generation();
    first_kb = resident_kb();
    for (int i = 1; i < 200; i++)
        run_generation();
    resident_check("199 more generations", first_kb, 4096);
    printf("truth work success=%d\n", 200 * GENERATION * 20);
}

static int count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int count = 0;
    int c;

    while (maps && (c = fgetc(maps)) != EOF)
        count += c == '\n';
    if (maps)
        fclose(maps);
    return count;
}

/* A process may have 65530 mappings (vm.max_map_count); a thread has two, its stack and a guard. */
static void crowd(void)
{
    enum {
        CROWD = 3000,
        CALLMETERS = 2048, /* mappings */
        OTHERS = 400
    };
    static pthread_t threads[CROWD];
    pthread_attr_t attributes;
    int mappings;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_barrier_init(&barrier, NULL, CROWD + 1);
    for (int t = 0; t < CROWD; t++)
        CHECK(pthread_create(&threads[t], &attributes, start_generation, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    mappings = count_mappings();
    CHECK(mappings > 0 && mappings <= 2 * CROWD + CALLMETERS + OTHERS);
    for (int t = 0; t < CROWD; t++)
        pthread_join(threads[t], NULL);
    printf("truth work success=%d\n", CROWD * 20);
}

/* All memory is locked, now and later: each page of a mapping is there at once. */
static void locked(void)
{
    enum {
        LOCKED = 200,
        STACK_BYTES = 65536,
        MORE_KB = 25 /* for each thread, beside its stack */
    };
    pthread_t threads[LOCKED];
    pthread_attr_t attributes;
    long before_kb;

    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        fputs("memory cannot be locked here\n", stderr);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_barrier_init(&barrier, NULL, LOCKED + 1);
    before_kb = resident_kb();
    for (int t = 0; t < LOCKED; t++)
        CHECK(pthread_create(&threads[t], &attributes, start_generation, NULL) == 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    resident_check("threads with locked memory", before_kb, LOCKED * (STACK_BYTES / 1024 + MORE_KB));
    for (int t = 0; t < LOCKED; t++)
        pthread_join(threads[t], NULL);
    printf("truth work success=%d\n", LOCKED * 20);
}

static void *start_leave_raw(void *argument)
{
    leave_raw_deep(3);
    return argument;
}

static void raw_exits(void)
{
    int count = 20000 * scale;

    run_in_bounded_memory(start_leave_raw, count);
    printf("truth leave_raw abandoned=%d\n", count);
    printf("truth leave_raw_deep abandoned=%d\n", count * 4);
}

/* Threads that no library made: clone(2) with a TLS block of their own. */

struct raw_thread {
    uint8_t *stack;
    uintptr_t *control; /* its thread control block */
    pid_t tid;          /* 0: it is gone */
};

static void *(*allocate_tls)(void *);
static void (*free_tls)(void *, bool);

static int run_raw_exit(void *argument)
{
    (void)argument;
    leave_raw_deep(3);
    return 0;
}

static int run_raw_return(void *argument)
{
    (void)argument;
    work(1);
    return 0;
}

static uint8_t *new_stack(void)
{
    uint8_t *stack = mmap(NULL, RAW_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(stack != MAP_FAILED);
    return stack;
}

/* As glibc has it at %fs: itself at 0 and 16, the guards of stacks and pointers at 40 and 48. */
static void raw_start(struct raw_thread *thread, int (*function)(void *))
{
    const uintptr_t *own = __builtin_thread_pointer();
    uintptr_t *control = allocate_tls(NULL);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                CLONE_CHILD_CLEARTID;

    control[0] = control[2] = (uintptr_t)control;
    control[5] = own[5];
    control[6] = own[6];
    thread->control = control;
    thread->tid = 1;
    CHECK(clone(function, thread->stack + RAW_STACK_BYTES, flags, NULL, NULL, control, &thread->tid) > 0);
}

static void raw_join(struct raw_thread *thread)
{
    while (__atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE))
        sched_yield();
    free_tls(thread->control, true);
}

/* Each time on the same stacks, or on ones that are mapped anew. */
static void run_raw(int (*function)(void *), int count, bool is_stack_new)
{
    struct raw_thread threads[TOGETHER];
    long settled_kb = 0;

    for (int t = 0; t < TOGETHER; t++)
        threads[t].stack = new_stack();
    for (int i = 0; i < count; i += TOGETHER) {
        if (i == SETTLED)
            settled_kb = resident_kb();
        for (int t = 0; t < TOGETHER; t++)
            raw_start(&threads[t], function);
        for (int t = 0; t < TOGETHER; t++)
            raw_join(&threads[t]);
        for (int t = 0; t < TOGETHER && is_stack_new; t++) {
            munmap(threads[t].stack, RAW_STACK_BYTES);
            threads[t].stack = new_stack();
        }
    }
    resident_check("the raw threads after the first ones", settled_kb, 1024);
}

static void raw_clones(void)
{
    int count = 10000 * scale;

    *(void **)&allocate_tls = dlsym(RTLD_DEFAULT, "_dl_allocate_tls");
    *(void **)&free_tls = dlsym(RTLD_DEFAULT, "_dl_deallocate_tls");
    CHECK(allocate_tls && free_tls);
    run_raw(run_raw_return, count, false);
    run_raw(run_raw_exit, count, false);
    run_raw(run_raw_exit, count, true);
    printf("truth work success=%d\n", count);
    printf("truth leave_raw abandoned=%d\n", count * 2);
    printf("truth leave_raw_deep abandoned=%d\n", count * 8);
}

/* What runs when a thread ends: destructors of keys, which may set the key again, four times over. */

static pthread_key_t key;
static tss_t c11_key;

static void destroy(void *value)
{
    intptr_t left = (intptr_t)value;

    work(1);
    if (left > 1)
        pthread_setspecific(key, (void *)(left - 1));
}

static void destroy_c11(void *value)
{
    (void)value;
    work(2);
}

static void *start_with_key(void *argument)
{
    pthread_setspecific(key, (void *)(intptr_t)PTHREAD_DESTRUCTOR_ITERATIONS);
    return argument;
}

static int start_c11(void *argument)
{
    (void)argument;
    tss_set(c11_key, &c11_key);
    return work(1);
}

static void destructors(void)
{
    thrd_t thread;
    int result;

    CHECK(pthread_key_create(&key, destroy) == 0);
    CHECK(tss_create(&c11_key, destroy_c11) == thrd_success);
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_join(start(start_with_key, NULL), NULL) == 0);
        CHECK(thrd_create(&thread, start_c11, NULL) == thrd_success);
        CHECK(thrd_join(thread, &result) == thrd_success && result == 2);
    }
    printf("truth work success=%d\n", 500 * (PTHREAD_DESTRUCTOR_ITERATIONS + 2));
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"million", million},
        {"generations", generations},
        {"crowd", crowd},
        {"locked", locked},
        {"raw-exits", raw_exits},
        {"raw-clones", raw_clones},
        {"destructors", destructors},
        {NULL, NULL},
    };

    scale = getenv("VICTIM_SCALE") ? atoi(getenv("VICTIM_SCALE")) : 1;
    return victim_main(argc, argv, modes);
}
