/* Threads sleep, the process gives up root and cannot be dumped any more, and then it loads libraries: their functions
 * are patched while nobody may read where the threads are. Says which are. It has a handler of SIGTRAP, which goes on
 * counting. */
#include "victim.h"

#include <dlfcn.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>

enum {
    SLEEPERS = 3,
    LIBRARIES = 4,
    CALLS = 100,
    NOBODY = 65534,
};

static atomic_int sleepers;
static volatile sig_atomic_t traps;

static void *fall_asleep(void *unused)
{
    sleepers++;
    while (sleepers) /* what libc does to change the identity of all threads wakes them */
        poll(NULL, 0, -1);
    return unused;
}

static void count_trap(int signal)
{
    (void)signal;
    traps++;
}

static void be_undumpable(void)
{
    if (geteuid() == 0)
        CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
}

/* Once the next library is loaded, this one's function is patched. */
static void *load(int number)
{
    char path[64];
    void *library;

    snprintf(path, sizeof(path), "liblive-picked-%d.so", number);
    library = dlopen(path, RTLD_NOW);
    CHECK(library != NULL);
    return library;
}

static void call(void *library, int number)
{
    char name[64];
    int (*function)(int);

    snprintf(name, sizeof(name), "live_picked_%d", number);
    *(void **)&function = library ? dlsym(library, name) : NULL;
    CHECK(function != NULL);
    for (int i = 0; function && i < CALLS; i++)
        CHECK(function(i) == i + 1);
    if (function && *(const unsigned char *)(uintptr_t)function == 0xe9)
        printf("patched %s\n", name);
    printf("truth %s success=%d\n", name, CALLS);
}

int main(void)
{
    struct sigaction action = {.sa_handler = count_trap};
    void *before;
    void *library = NULL;
    pthread_t thread;

    for (int i = 0; i < SLEEPERS; i++)
        pthread_create(&thread, NULL, fall_asleep, NULL);
    while (sleepers < SLEEPERS)
        sched_yield();
    sigaction(SIGTRAP, &action, NULL);
    be_undumpable();
    for (int i = 1; i <= LIBRARIES; i++) {
        before = library;
        library = load(i);
        if (before)
            call(before, i - 1);
        __asm__ volatile("int3");
        CHECK(traps == i);
    }
    sigaction(SIGTRAP, NULL, &action);
    CHECK(action.sa_handler == count_trap);
    return victim_finish();
}
