/* process-killed COUNT: processes in tight loops of tracked calls, in two threads each, which also keep their own
 * counts, in memory that they share; each is killed at a random moment. Prints `begun N`, `ended N`: calls before which
 * they counted, and after which. */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum {
    PROCESSES_MAX = 1000,
    THREADS = 2,
    PAUSE_MAX_NS = 20 * 1000 * 1000,
};

struct count {
    _Atomic long begun;
    _Atomic long ended;
    char padding[48];
};

static struct count (*counts)[THREADS];

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

static void *work_for_ever(void *context)
{
    struct count *count = context;

    for (int i = 0;; i++) {
        atomic_fetch_add(&count->begun, 1);
        work(i);
        atomic_fetch_add(&count->ended, 1);
    }
    return NULL;
}

static pid_t begin(int index)
{
    pid_t child = fork();
    pthread_t thread;

    if (child == 0) {
        pthread_create(&thread, NULL, work_for_ever, &counts[index][0]);
        work_for_ever(&counts[index][1]);
    }
    return child;
}

int main(int argc, char **argv)
{
    int processes = argc > 1 ? atoi(argv[1]) : 0;
    long begun = 0;
    long ended = 0;

    if (processes < 1 || processes > PROCESSES_MAX)
        return 64;
    counts = mmap(NULL, sizeof(*counts) * PROCESSES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    srand((unsigned)time(NULL));
    for (int i = 0; i < processes; i++) {
        pid_t child = begin(i);
        struct timespec pause = {0, rand() % PAUSE_MAX_NS};

        while (counts[i][0].ended == 0 || counts[i][1].ended == 0)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        nanosleep(&pause, NULL); /* the random moment */
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, NULL, 0) == child);
        for (int j = 0; j < THREADS; j++) {
            begun += counts[i][j].begun;
            ended += counts[i][j].ended;
        }
    }
    printf("begun %ld\nended %ld\n", begun, ended);
    return victim_finish();
}
