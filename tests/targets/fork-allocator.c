/* A program of one thread with an allocator of its own, whose lock nobody takes when it forks: with one thread there is
 * nobody who could hold it. */
#include "victim.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ARENA_BYTES ((size_t)4 << 30)

enum {
    FORKS = 200,
    HELD_LONG = 1000000, /* turns for which the lock is held at last, so that it is met */
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static unsigned char *arena;
static size_t used;
static int held;

TRACKED int work(int value)
{
    TOUCH();
    return value * 3 + 1;
}

/* Its size lies in front of each piece. */
static void *take(size_t alignment, size_t bytes)
{
    uintptr_t piece;

    while (atomic_flag_test_and_set(&lock))
        sched_yield();
    for (int i = 0; i < held; i++)
        TOUCH();
    if (!arena)
        arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    piece = ((uintptr_t)arena + used + 16 + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((size_t *)piece)[-1] = bytes;
    used = piece + bytes - (uintptr_t)arena;
    atomic_flag_clear(&lock);
    return (void *)piece;
}

#pragma GCC visibility push(default) /* for libc and all libraries */

void *malloc(size_t bytes)
{
    return take(16, bytes);
}

void free(void *piece)
{
    (void)piece;
}

void *calloc(size_t count, size_t bytes)
{
    return take(16, count * bytes); /* never used before */
}

void *realloc(void *piece, size_t bytes)
{
    void *moved = take(16, bytes);

    if (piece)
        memcpy(moved, piece, ((size_t *)piece)[-1] < bytes ? ((size_t *)piece)[-1] : bytes);
    return moved;
}

void *memalign(size_t alignment, size_t bytes)
{
    return take(alignment < 16 ? 16 : alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

int posix_memalign(void **ret_piece, size_t alignment, size_t bytes)
{
    *ret_piece = memalign(alignment, bytes);
    return 0;
}

#pragma GCC visibility pop

static void forks(void)
{
    held = HELD_LONG;
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        int status;

        if (child == 0) {
            *(volatile char *)malloc(100) = 1;
            work(i);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        usleep(1000);
    }
    printf("truth work success=%d\n", FORKS);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"forks", forks},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
