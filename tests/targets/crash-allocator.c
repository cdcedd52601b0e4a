/* Its allocator ends the program, with a status of its own, if it is called when the program is about to crash. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "victim.h"

static _Alignas(16) char room[16 << 20];
static atomic_size_t used;
static volatile int is_forbidden;
static uintptr_t volatile null_address;
static volatile int answer;

void *malloc(size_t bytes)
{
    size_t taken = (bytes + 16 + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&used, taken);

    if (is_forbidden)
        _exit(77);
    if (at + taken > sizeof(room))
        return NULL;
    *(size_t *)(uintptr_t)&room[at] = bytes;
    return &room[at + 16];
}

void free(void *block)
{
    (void)block;
    if (is_forbidden)
        _exit(78);
}

void *calloc(size_t count, size_t bytes)
{
    return malloc(count * bytes); /* never given out before: all zero */
}

void *realloc(void *block, size_t bytes)
{
    void *other = malloc(bytes);

    if (block && other) {
        size_t old = *(size_t *)(uintptr_t)((char *)block - 16);

        memcpy(other, block, old < bytes ? old : bytes);
    }
    return other;
}

static void *aligned(size_t alignment, size_t bytes)
{
    char *block = malloc(bytes + alignment);

    return block ? block + (alignment - (uintptr_t)block % alignment) % alignment : NULL;
}

void *memalign(size_t alignment, size_t bytes)
{
    return aligned(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return aligned(alignment, bytes);
}

int posix_memalign(void **ret_block, size_t alignment, size_t bytes)
{
    *ret_block = aligned(alignment, bytes);
    return *ret_block ? 0 : ENOMEM;
}

TRACKED void crash_here(void)
{
    is_forbidden = 1;
    answer = *(volatile int *)null_address;
    TOUCH();
}

TRACKED void abort_here(void)
{
    is_forbidden = 1;
    abort();
}

static void run_crash(void)
{
    crash_here();
}

static void run_abort(void)
{
    abort_here();
}

static const struct victim_mode modes[] = {
    {"crash", run_crash},
    {"abort", run_abort},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
