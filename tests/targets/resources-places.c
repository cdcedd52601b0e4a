/* Variables in every place that one may be in, some of which go away while they are looked at.
 *
 * Each byte of its standard input is an order, and answered by a line: see orders[]. */
#include "resources-library.h"
#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE = 4096
};

struct record {
    uint64_t first;
    int64_t number;
};

struct packed {
    char before[5];
    int64_t straddling;
} __attribute__((packed));

static int32_t place_static = 11;
static struct packed place_packed __attribute__((aligned(8))) = {"", -12};
static __thread int32_t place_thread = 13;
static struct record *place_heap;
static int64_t place_guarded[PAGE / sizeof(int64_t)] __attribute__((aligned(PAGE)));
static int64_t *_Atomic place_moving;
uint32_t *place_edge; /* the last 4 bytes before memory that nobody may read */
static atomic_bool is_moving;
static pthread_t mover;

TRACKED int place_function(int value)
{
    TOUCH();
    return value + 1;
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

/* A file of one page that is full of 77. */
static int make_page(void)
{
    int64_t numbers[PAGE / sizeof(int64_t)];
    int file = memfd_create("moving", MFD_CLOEXEC);

    for (size_t i = 0; i < PAGE / sizeof(*numbers); i++)
        numbers[i] = 77;
    if (file < 0 || write(file, numbers, PAGE) != PAGE)
        abort();
    return file;
}

/* Shows one page after the other, each for a moment: what a reader finds there is 77, or nothing. Mapped from a file,
 * for a page comes to where another one was that a reader may still look at: it must not be filled there. */
static void *move(void *unused)
{
    int file = make_page();

    while (atomic_load(&is_moving)) {
        int64_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        int64_t *before;

        if (page == MAP_FAILED)
            abort();
        before = atomic_exchange(&place_moving, page);
        if (before)
            munmap(before, PAGE);
    }
    close(file);
    return unused;
}

static void start_moving(void)
{
    atomic_store(&is_moving, true);
    CHECK(pthread_create(&mover, NULL, move, NULL) == 0);
}

static void stop_moving(void)
{
    atomic_store(&is_moving, false);
    CHECK(pthread_join(mover, NULL) == 0);
}

static void make(void)
{
    place_heap = calloc(1, sizeof(*place_heap));
    if (!place_heap)
        abort();
    place_heap->number = 14;
}

static void drop(void)
{
    free(place_heap);
    place_heap = NULL;
}

static void guard(void)
{
    CHECK(mprotect(place_guarded, PAGE, PROT_NONE) == 0);
}

static void open_guarded(void)
{
    CHECK(mprotect(place_guarded, PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void change(void)
{
    place_static++;
    place_packed.straddling--;
    place_thread++;
    library_raise(100);
    CHECK(place_function((int)library_level) == (int)library_level + 1);
}

static const struct {
    char order;
    const char *answer;
    void (*run)(void);
} orders[] = {
    {'m', "made", make},      {'d', "dropped", drop},        {'g', "guarded", guard},     {'o', "opened", open_guarded},
    {'c', "changed", change}, {'s', "moving", start_moving}, {'e', "moved", stop_moving},
};

static void obey(char order)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        if (orders[i].order != order)
            continue;
        orders[i].run();
        puts(orders[i].answer);
        fflush(stdout);
    }
}

int main(void)
{
    char *edge = map(2 * PAGE);
    char order;

    CHECK(mprotect(edge + PAGE, PAGE, PROT_NONE) == 0);
    place_edge = (uint32_t *)(void *)(edge + PAGE) - 1;
    *place_edge = 15;
    place_guarded[1] = 16;
    puts("done");
    fflush(stdout);
    while (read(STDIN_FILENO, &order, 1) > 0)
        obey(order);
    return victim_failures;
}
