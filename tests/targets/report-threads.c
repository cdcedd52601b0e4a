/* Two threads wait in tracked calls, a third one in none, when the first thread dies in one. */
#include <pthread.h>
#include <stdlib.h>

#include "victim.h"

static pthread_barrier_t waiting;
static int *volatile nowhere = NULL;

TRACKED void waits_inside(int which)
{
    pthread_barrier_wait(&waiting);
    for (;;)
        pause();
    TOUCH();
    (void)which;
}

TRACKED void waits(int which)
{
    waits_inside(which);
    TOUCH();
}

TRACKED int dies(int value)
{
    value += *nowhere;
    TOUCH();
    return value;
}

static void *run_tracked(void *argument)
{
    waits(*(int *)argument);
    return NULL;
}

static void *run_untracked(void *argument)
{
    pthread_barrier_wait(&waiting);
    for (;;)
        pause();
    return argument;
}

int main(void)
{
    static int numbers[] = {1, 2};
    pthread_t thread;

    pthread_barrier_init(&waiting, NULL, 4);
    pthread_create(&thread, NULL, run_tracked, &numbers[0]);
    pthread_create(&thread, NULL, run_tracked, &numbers[1]);
    pthread_create(&thread, NULL, run_untracked, NULL);
    pthread_barrier_wait(&waiting);
    return dies(1);
}
