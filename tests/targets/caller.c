/* Calls into a shared library and into libc: through the PLT, through pointers, and back. */
#include "library.h"
#include "victim.h"

#include <errno.h>
#include <stdlib.h>

TRACKED int twice(int value)
{
    TOUCH();
    return 2 * value;
}

static void through_library(void)
{
    long (*volatile pointer)(int (*)(int), int) = library_sum;

    for (int i = 0; i < 100; i++) {
        CHECK(library_sum(twice, 10) == 90);
        CHECK(pointer(twice, 10) == 90);
    }
    printf("truth library_sum success=200\n");
    printf("truth library_apply success=2000\n");
    printf("truth twice success=2000\n");
}

/* The caller must see the errno that the library left, whatever was judged in between. */
static void errors(void)
{
    for (int i = 1; i <= 1500; i++) {
        int result;

        errno = EBADF;
        result = library_read(i);
        CHECK(result == (i % 3 && i % 5 ? i : -1));
        CHECK(errno == (i % 3 == 0 ? EAGAIN : i % 5 == 0 ? EIO : EBADF));
    }
    printf("truth library_read success=800 error=200 throttled=500\n");
}

static void from_libc(void)
{
    static const char *volatile text = "a string that is long enough to be allocated";
    long sum = 0;

    for (int i = 0; i < 1000; i++) {
        char *copy = strdup(text);

        CHECK(copy && strlen(copy) == 44);
        sum += a64l("12");
        free(copy);
    }
    CHECK(sum == 259000);
    printf("truth a64l success=1000\n");
    printf("truth strdup success=1000\n");
    printf("truth strlen success=*\ntruth malloc success=*\ntruth free success=*\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"library", through_library},
        {"errors", errors},
        {"libc", from_libc},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
