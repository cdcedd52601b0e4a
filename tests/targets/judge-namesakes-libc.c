/* A program may give its own functions names that libc has too, and the linker exports those, so that whatever is
 * preloaded calls them in place of libc's. The meaning is the program's own. Exits with 0 if each of them was called by
 * main alone: once. */
#include <stddef.h>

static int in_main;
static int strangers;
static int calls;

#define NAMESAKE(name)                                                                                                 \
    __attribute__((noinline)) long name(long a, long b, long c)                                                        \
    {                                                                                                                  \
        __asm__ volatile("" : : : "memory");                                                                           \
        if (in_main)                                                                                                   \
            calls++;                                                                                                   \
        else                                                                                                           \
            strangers++;                                                                                               \
        return a + b + c;                                                                                              \
    }

NAMESAKE(strcspn)
NAMESAKE(fnmatch)
NAMESAKE(readlink)
NAMESAKE(close)
NAMESAKE(realpath)
NAMESAKE(strdup)
NAMESAKE(getpid)
NAMESAKE(qsort)
NAMESAKE(opendir)
NAMESAKE(mprotect)
NAMESAKE(error)
NAMESAKE(index)

int main(void)
{
    static long (*const own[])(long, long, long) = {
        strcspn, fnmatch, readlink, close, realpath, strdup, getpid, qsort, opendir, mprotect, error, index,
    };
    const int count = (int)(sizeof(own) / sizeof(own[0]));

    in_main = 1;
    for (int i = 0; i < count; i++)
        if (own[i](i, 1, 2) != i + 3)
            return 1;
    return strangers != 0 || calls != count;
}
