/* An operation of several threads, one of which is within it when the program is scraped. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum {
    THREADS = 4,
    ROUNDS = 2500,
    KEY_OF_WAITING = -1
};

static sem_t inside;
static sem_t may_leave;
static atomic_ullong stored;
static atomic_ullong rejected;

/* Returns whether the key was taken. */
TRACKED _Bool store(int key)
{
    TOUCH();
    if (key == KEY_OF_WAITING) {
        sem_post(&inside);
        sem_wait(&may_leave);
    }
    return key % 5 != 4;
}

static void *store_many(void *unused)
{
    for (int i = 0; i < ROUNDS; i++)
        atomic_fetch_add(store(i) ? &stored : &rejected, 1);
    return unused;
}

static void *store_slowly(void *unused)
{
    store(KEY_OF_WAITING);
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS], waiting;
    int failures;

    sem_init(&inside, 0, 0);
    sem_init(&may_leave, 0, 0);
    pthread_create(&waiting, NULL, store_slowly, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, store_many, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    sem_wait(&inside);
    printf("truth store success=%llu error=%llu active=1\n", stored, rejected);
    failures = victim_finish();
    sem_post(&may_leave);
    pthread_join(waiting, NULL);
    return failures;
}
