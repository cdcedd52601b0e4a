/* An allocator that is the program's own, or a library's, and what becomes of who calls it before it is set up. EARLY
 * is one of the names below. How often that was is printed: without callmeter it is never. */
#include "victim.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum early {
    CRASH,       /* main sets it up */
    ABORT,       /* with a word about it */
    LOOP,        /* for ever */
    WAIT,        /* for somebody who never comes */
    NOTHING,     /* gives NULL */
    SMALL,       /* has some bytes for small ones */
    OVERFLOW,    /* calls itself until the stack ends */
    GARBAGE,     /* memory that is not there */
    FREE_CRASH,  /* gives, but may not be given back to */
    READY,       /* sets itself up */
    CONSTRUCTOR, /* is set up by a constructor, the last one that runs */
};

#define HEAP_BYTES ((size_t)64 << 20)
#define HEADER     16

static _Atomic(char *) next;
static char *heap;
static char small_heap[1 << 16];
static int early_calls;
static volatile int never;

static void set_up(void)
{
    heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    next = heap;
}

#if defined(LIBRARY)
__attribute__((constructor)) static void set_up_library(void)
{
    set_up();
}
#else
__attribute__((constructor(65535))) static void set_up_last(void)
{
    if (EARLY == CONSTRUCTOR)
        set_up();
}
#endif

static __attribute__((noinline)) int overflow(volatile char *above)
{
    volatile char here[4096];

    here[0] = *above;
    return overflow(here) + here[0];
}

static void *take(size_t bytes)
{
    char *place = atomic_fetch_add(&next, (bytes + HEADER + 15) & ~(size_t)15);

    *(size_t *)(void *)place = bytes;
    return place + HEADER;
}

static void *early(size_t bytes)
{
    static const char text[] = "own-allocator: no heap yet\n";
    char on_stack = 0;

    early_calls++;
    if (EARLY == READY) {
        set_up();
        return take(bytes);
    }
    if (EARLY == FREE_CRASH || (EARLY == SMALL && bytes <= 4096)) {
        next = small_heap;
        return take(bytes);
    }
    if (EARLY == ABORT && write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
        abort();
    while (EARLY == LOOP && !never)
        TOUCH();
    if (EARLY == WAIT)
        pause();
    if (EARLY == OVERFLOW)
        return (void *)(intptr_t)overflow(&on_stack);
    if (EARLY == GARBAGE)
        return (void *)(intptr_t)4096;
    if (EARLY == CRASH || EARLY == CONSTRUCTOR)
        *(volatile char *)heap = 1;
    return NULL;
}

TRACKED void *malloc(size_t bytes)
{
    if (!next)
        return early(bytes);
    return !heap && bytes > 4096 ? NULL : take(bytes);
}

TRACKED void free(void *memory)
{
    if (memory && !heap)
        *(volatile char *)heap = 1;
}

TRACKED void *calloc(size_t count, size_t bytes)
{
    void *memory = malloc(count * bytes);

    return memory ? memset(memory, 0, count * bytes) : NULL;
}

TRACKED void *realloc(void *old, size_t bytes)
{
    char *memory = malloc(bytes);
    size_t old_bytes = old ? *(size_t *)(void *)((char *)old - HEADER) : 0;

    if (memory && old)
        memcpy(memory, old, old_bytes < bytes ? old_bytes : bytes);
    return memory;
}

TRACKED void *memalign(size_t alignment, size_t bytes)
{
    char *memory = malloc(bytes + alignment);

    return memory ? (void *)(((uintptr_t)memory + alignment - 1) & ~(alignment - 1)) : NULL;
}

TRACKED void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

TRACKED int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    *ret_memory = memalign(alignment, bytes);
    return *ret_memory ? 0 : 12;
}

#ifndef LIBRARY
static int works;

TRACKED int work(int value)
{
    TOUCH();
    works++;
    return value + 1;
}

/* Tracked, and called before main. */
__attribute__((constructor(65534))) static void work_early(void)
{
    work(0);
}

int main(void)
{
    int sum = 0;

    if (EARLY != READY && EARLY != CONSTRUCTOR) {
        set_up();
        printf("early calls: %d\n", early_calls);
    }
    for (int i = 0; i < 100; i++) {
        volatile char *memory = malloc(100);

        memory[5] = 1;
        sum += work(i) + memory[5];
        free((void *)memory);
    }
    printf("sum %d\ntruth work success=100\n", sum);
    return victim_finish();
}
#endif
