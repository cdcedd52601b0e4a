/* Threads that end in the handler of a fault, which a function has raised that calls nobody: the compiler has not
 * aligned the stack for it. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>

#include "victim.h"

enum {
    THREADS = 3,
};

static volatile int *volatile nowhere;
static volatile int answer;

TRACKED void crash_here(void)
{
    answer = *nowhere;
}

static void handle(int number)
{
    pthread_exit((void *)(uintptr_t)number);
}

static void *run_thread(void *context)
{
    crash_here();
    TOUCH();
    return context;
}

static void run_threads(void)
{
    signal(SIGSEGV, handle);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *result;

        pthread_create(&thread, NULL, run_thread, NULL);
        pthread_join(thread, &result);
        printf("ended with %d\n", (int)(uintptr_t)result);
    }
    signal(SIGSEGV, SIG_DFL);
    printf("truth crash_here abandoned=%d\n", THREADS);
}

static const struct victim_mode modes[] = {
    {"threads", run_threads},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
