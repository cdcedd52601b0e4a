/* The functions that a program replaces together when it brings an allocator of its own. */
#ifndef CALLMETER_PRELOAD_HOST_ALLOCATOR_H
#define CALLMETER_PRELOAD_HOST_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

/* True for malloc and its like. Calls nothing. */
static inline bool allocator_has(const char *name)
{
    static const char names[][20] = {"malloc",       "free",          "calloc",         "realloc",
                                     "reallocarray", "aligned_alloc", "posix_memalign", "memalign",
                                     "valloc",       "pvalloc",       "cfree",          "malloc_usable_size"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t at = 0;

        while (names[i][at] && names[i][at] == name[at])
            at++;
        if (names[i][at] == '\0' && name[at] == '\0')
            return true;
    }
    return false;
}

#endif
