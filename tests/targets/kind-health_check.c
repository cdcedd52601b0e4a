/* Checks that end up, that end down, that are made by many threads in turn, that are never made. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>

enum {
    ROUNDS = 101
};

static int last_result;

/* Each returns 0 for healthy. */
TRACKED int check_database(int attempt)
{
    TOUCH();
    return attempt % 2;
}

TRACKED int check_cache(int attempt)
{
    TOUCH();
    return attempt == ROUNDS - 1 ? -1 : 0;
}

TRACKED int check_disk(int attempt)
{
    TOUCH();
    return attempt + 1;
}

TRACKED int check_queue(int attempt)
{
    TOUCH();
    return attempt % 3 == 2;
}

TRACKED int check_network(int attempt)
{
    TOUCH();
    return attempt > 3;
}

static void *check_once(void *attempt)
{
    last_result = check_queue((int)(intptr_t)attempt);
    return NULL;
}

/* The last check is made by a thread whose block was others' before it. */
static void check_by_threads(int checks)
{
    pthread_t first, second;

    for (int i = 0; i < checks; i += 2) {
        pthread_create(&first, NULL, check_once, (void *)(intptr_t)i);
        pthread_join(first, NULL);
        pthread_create(&second, NULL, check_once, (void *)(intptr_t)(i + 1));
        pthread_join(second, NULL);
    }
}

static struct outcomes check_many(int (*check)(int), int checks)
{
    struct outcomes counts = {0};

    for (int i = 0; i < checks; i++) {
        int result = check(i);

        counts.success += result == 0;
        counts.error += result != 0;
    }
    return counts;
}

int main(int argc, char **argv)
{
    double before = unix_seconds(), after;
    struct outcomes database, cache, disk;
    const char *seen = "function=\"check_database\",kind=\"health_check\",dependency=\"database\"";

    (void)argv;
    if (argc > 5)
        check_network(argc);
    database = check_many(check_database, ROUNDS);
    cache = check_many(check_cache, ROUNDS);
    disk = check_many(check_disk, ROUNDS);
    check_by_threads(12);
    check_queue(last_result);
    after = unix_seconds();
    say_outcomes(seen, &database);
    say_outcomes("function=\"check_cache\",dependency=\"cache\"", &cache);
    say_outcomes("function=\"check_disk\",dependency=\"disk\"", &disk);
    say_sample("health_check_up", seen, 1);
    say_sample("health_check_up", "function=\"check_cache\",dependency=\"cache\"", 0);
    say_sample("health_check_up", "function=\"check_disk\",dependency=\"disk\"", 0);
    say_sample("health_check_up", "function=\"check_queue\",dependency=\"queue\"", 1);
    printf("series health_check_up{function=\"check_network\"} 0\n");
    say_moment("last_success_timestamp_seconds", seen, before, after);
    say_moment("last_success_timestamp_seconds", "function=\"check_cache\"", before, after);
    say_sample("last_success_timestamp_seconds", "function=\"check_disk\"", 0);
    say_sample("last_success_timestamp_seconds", "function=\"check_network\"", 0);
    return victim_finish();
}
