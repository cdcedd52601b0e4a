/* Workers that take batches, whose size is an argument: of 32 bits, with rubbish in the upper half of its register. */
#include "samples.h"
#include "victim.h"

#include <pthread.h>

enum {
    WORKERS = 3,
    BATCHES = 1000
};

static pthread_mutex_t truth_lock = PTHREAD_MUTEX_INITIALIZER;
static struct outcomes counts;
static uint64_t items;

TRACKED int drain(const int *queue, const char *name, uint32_t count)
{
    TOUCH();
    CHECK(queue && name && count < 5000);
    return count % 13 == 12 ? -1 : 0;
}

/* What nobody ever calls: its items are exported all the same. */
TRACKED int drain_rest(const int *queue, const char *name, uint32_t count)
{
    TOUCH();
    CHECK(queue && name);
    return (int)count;
}

/* A worker that says by a number below zero that there was nothing. */
TRACKED long take_in(long count)
{
    TOUCH();
    CHECK(count < 1000);
    return count;
}

static void take_some(void)
{
    static const long numbers[] = {5, -1, 0, -2000000000, 7, -1};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        CHECK(take_in(numbers[i]) == numbers[i]);
    say_sample("calls_total", "function=\"take_in\",outcome=\"success\"", 6);
    say_sample("items_total", "function=\"take_in\"", 12);
}

static void *work(void *queue)
{
    /* The ABI leaves the upper half of a 32-bit argument's register open. */
    int (*volatile drain_wide)(const int *, const char *, uint64_t) =
        (int (*)(const int *, const char *, uint64_t))(void *)drain;

    for (uint32_t i = 0; i < BATCHES; i++) {
        int result = drain_wide(queue, "invoices", UINT64_C(0xdeadbeef00000000) | (i * 5));

        pthread_mutex_lock(&truth_lock);
        counts.success += result == 0;
        counts.error += result < 0;
        items += i * 5;
        pthread_mutex_unlock(&truth_lock);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *labels = "function=\"drain\",kind=\"worker\",queue=\"invoices\"";
    pthread_t threads[WORKERS];
    double before = unix_seconds();
    int queue = 0;

    if (argc > 1 && strcmp(argv[1], "signed") == 0) {
        take_some();
        return victim_finish();
    }
    if (argc > 5)
        drain_rest(&queue, "", 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, work, &queue);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    say_outcomes(labels, &counts);
    say_sample("items_total", labels, items);
    say_moment("last_success_timestamp_seconds", labels, before, unix_seconds());
    say_sample("items_total", "function=\"drain_rest\"", 0);
    say_sample("last_success_timestamp_seconds", "function=\"drain_rest\"", 0);
    return victim_finish();
}
