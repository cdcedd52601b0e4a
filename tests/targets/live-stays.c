/* Preloaded behind the shim, so that its threads are there before the shim starts. Two stay in system calls within
 * the first instructions of functions, one of a kind that is closed by int3, one of the kind that is closed by a jump
 * to itself; a third function is written at once, whoever is in it. When the program ends, it says what that
 * has cost, and lets them go on. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

long live_stays_behind_one(long number, int fd, char *byte, long bytes);
long live_stays_behind_three(long number, int fd, char *byte, long bytes);
long live_passed(long number);

/* The system call whose number comes first. */
#define CALLING(name, first, last)                                                                                     \
    __asm__(".text\n"                                                                                                  \
            ".p2align 4\n"                                                                                             \
            ".globl " name "\n"                                                                                        \
            ".type " name ", @function\n" name ":\n" first "syscall\n"                                                 \
            "nop\n"                                                                                                    \
            "nop\n" last "ret\n"                                                                                       \
            ".size " name ", . - " name "\n")

CALLING("live_stays_behind_one", "push %rbp\n", "pop %rbp\n");
CALLING("live_stays_behind_three", "mov %rax, %rax\n", "");

__asm__(".text\n"
        ".p2align 4\n"
        ".globl live_passed\n"
        ".type live_passed, @function\n"
        "live_passed:\n"
        "mov $1, %eax\n"
        "add %rdi, %rax\n"
        "ret\n"
        ".size live_passed, . - live_passed\n");

enum {
    STAYERS = 2,
};

static pthread_t threads[STAYERS];
static int ends[STAYERS][2];
static atomic_int stayers[STAYERS];

/* read(2) by way of one of the functions. */
static long call_read(int stayer, int fd)
{
    char byte;
    long result = SYS_read;

    if (stayer == 0)
        __asm__ volatile("call live_stays_behind_one"
                         : "+a"(result)
                         : "D"((long)fd), "S"(&byte), "d"(1L)
                         : "rcx", "r11", "memory", "cc");
    else
        __asm__ volatile("call live_stays_behind_three"
                         : "+a"(result)
                         : "D"((long)fd), "S"(&byte), "d"(1L)
                         : "rcx", "r11", "memory", "cc");
    return result;
}

static void *stay(void *argument)
{
    int stayer = (int)(long)argument;

    stayers[stayer] = (int)syscall(SYS_gettid);
    CHECK(call_read(stayer, ends[stayer][0]) == 1);
    return NULL;
}

static int is_asleep(int tid)
{
    char path[64];
    int number = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
    file = fopen(path, "r");
    if (!file)
        return 1; /* nobody says */
    if (fscanf(file, "%d ", &number) != 1)
        number = -1;
    fclose(file);
    return number == SYS_read;
}

__attribute__((constructor)) static void begin(void)
{
    for (int i = 0; i < STAYERS; i++) {
        CHECK(pipe(ends[i]) == 0);
        pthread_create(&threads[i], NULL, stay, (void *)(long)i);
        while (!stayers[i] || !is_asleep(stayers[i]))
            sched_yield();
    }
}

/* Of all threads, and how often this one has gone to sleep, which it does not where it spins. */
static void tell_usage(void)
{
    struct rusage usage;
    struct timespec time;

    getrusage(RUSAGE_THREAD, &usage);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    printf("milliseconds: %ld\n", time.tv_sec * 1000 + time.tv_nsec / 1000000);
    printf("sleeps: %ld\n", usage.ru_nvcsw);
}

/* The functions work, for who was in them and for who comes. */
__attribute__((destructor)) static void end(void)
{
    tell_usage();
    CHECK(live_passed(1) == 2);
    for (int i = 0; i < STAYERS; i++) {
        CHECK(write(ends[i][1], "xx", 2) == 2);
        pthread_join(threads[i], NULL);
        CHECK(call_read(i, ends[i][0]) == 1);
    }
    printf("failures: %d\n", victim_failures);
}
