/* Its allocator ends the program in another way once the program has begun to die. */
#include <stdlib.h>

#include "victim.h"

/* glibc's own, behind the names that this program takes over for all of its libraries. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);

static volatile int is_dying;
static int *volatile nowhere = NULL;

static void judge(void)
{
    if (is_dying)
        _exit(99);
}

__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
    judge();
    return __libc_malloc(bytes);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t bytes)
{
    judge();
    return __libc_calloc(count, bytes);
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t bytes)
{
    judge();
    return __libc_realloc(memory, bytes);
}

__attribute__((visibility("default"))) void free(void *memory)
{
    judge();
    __libc_free(memory);
}

TRACKED int dies(int value)
{
    is_dying = 1;
    value += *nowhere;
    TOUCH();
    return value;
}

int main(int argc, char **argv)
{
    (void)argv;
    return dies(argc);
}
