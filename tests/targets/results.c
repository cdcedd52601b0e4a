/* Functions that answer with every type a manifest can name, for conditions to judge. */
#include "victim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    ROUNDS = 300
};

TRACKED bool answer_bool(int i)
{
    TOUCH();
    return i % 3 == 0;
}

TRACKED int answer_int(int i)
{
    TOUCH();
    return i % 3 - 1;
}

TRACKED uint32_t answer_uint32(int i)
{
    TOUCH();
    return i % 3 ? 7 : UINT32_MAX;
}

TRACKED int64_t answer_int64(int i)
{
    TOUCH();
    return i % 3 ? INT64_C(1) << 40 : -(INT64_C(1) << 40);
}

TRACKED uint64_t answer_uint64(int i)
{
    TOUCH();
    return i % 3 ? 1 : UINT64_MAX;
}

TRACKED void *answer_pointer(int i)
{
    static int place;

    TOUCH();
    return i % 3 ? &place : NULL;
}

TRACKED float answer_float(int i)
{
    TOUCH();
    return i % 3 ? 0.5F : 2.5F;
}

TRACKED double answer_double(int i)
{
    TOUCH();
    return i % 3 ? -0.0 : -1e300;
}

TRACKED int answer_errno(int i)
{
    static const int errors[3] = {EAGAIN, EIO, EINTR};

    TOUCH();
    errno = errors[i % 3];
    return -1;
}

static void all(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(answer_bool(i) == (i % 3 == 0));
        CHECK(answer_int(i) == i % 3 - 1);
        CHECK(answer_uint32(i) == (i % 3 ? 7 : UINT32_MAX));
        CHECK(answer_int64(i) == (i % 3 ? INT64_C(1) << 40 : -(INT64_C(1) << 40)));
        CHECK(answer_uint64(i) == (i % 3 ? 1 : UINT64_MAX));
        CHECK(!answer_pointer(i) == (i % 3 == 0));
        CHECK(answer_float(i) == (i % 3 ? 0.5F : 2.5F));
        CHECK(answer_double(i) == (i % 3 ? -0.0 : -1e300));
        CHECK(answer_errno(i) == -1 && errno == (i % 3 == 0 ? EAGAIN : i % 3 == 1 ? EIO : EINTR));
    }
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", all}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
