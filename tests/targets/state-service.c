/* A service that is to be killed and started again. Modes:
 *
 *   visit NAME...          visits each, then waits
 *   loop FILE THREADS      each thread calls without end; FILE, mapped, says how often each has begun and come back
 *   crash CALLS            so many calls, then one that does not come back
 *   crowd THREADS CALLS    so many threads at once, each with so many calls, then waits
 *   leave FILE             its child goes on when it has left: closes all descriptors, writes its id to FILE, and waits
 * to be killed */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    THREADS_MAX = 64,
};

struct tally {
    volatile uint64_t begun;
    volatile uint64_t ended;
};

static struct tally *tallies;
static pthread_barrier_t barrier;
static int calls;

/* The length; names that begin with '-' are errors. */
TRACKED int visit(const char *name)
{
    int length = (int)strlen(name);

    TOUCH();
    errno = *name == '-' ? ENOENT : 0;
    return *name == '-' ? -1 : length;
}

TRACKED int tick(int value)
{
    TOUCH();
    return value;
}

/* A fault in the last one. */
TRACKED int count_down(int value)
{
    static volatile int *volatile nowhere;

    TOUCH();
    return value > 0 ? value : *nowhere;
}

static void *loop(void *argument)
{
    struct tally *tally = argument;

    for (;;) {
        tally->begun = tally->begun + 1;
        tick(1);
        tally->ended = tally->ended + 1;
    }
    return NULL;
}

static void *crowd(void *argument)
{
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < calls; i++)
        tick(1);
    pthread_barrier_wait(&barrier);
    return argument;
}

static void start(void *(*run)(void *), int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, run, &tallies[i]) == 0);
    }
}

static int loop_for_ever(const char *path, int count)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    CHECK(fd >= 0 && ftruncate(fd, THREADS_MAX * sizeof(*tallies)) == 0);
    tallies = mmap(NULL, THREADS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(tallies != MAP_FAILED);
    start(loop, count);
    for (int i = 0; i < count; i++)
        while (tallies[i].ended < 1000)
            sched_yield();
    return victim_finish();
}

static int be_a_crowd(int count)
{
    static struct tally unused[THREADS_MAX];

    tallies = unused;
    pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
    start(crowd, count);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return victim_finish();
}

static int leave(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    tick(1);
    if (fork() > 0)
        return 0;
    tick(1);
    setsid();
    dprintf(fd, "%d\n", (int)getpid());
    closefrom(0);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (!strcmp(mode, "loop") && argc > 3 && atoi(argv[3]) <= THREADS_MAX)
        return loop_for_ever(argv[2], atoi(argv[3]));
    if (!strcmp(mode, "crash") && argc > 2)
        for (int i = atoi(argv[2]); i >= 0; i--)
            count_down(i);
    if (!strcmp(mode, "leave") && argc > 2)
        return leave(argv[2]);
    if (!strcmp(mode, "crowd") && argc > 3 && atoi(argv[2]) <= THREADS_MAX) {
        calls = atoi(argv[3]);
        return be_a_crowd(atoi(argv[2]));
    }
    if (strcmp(mode, "visit") != 0)
        return 64;
    for (int i = 2; i < argc; i++)
        visit(argv[i]);
    return victim_finish();
}
