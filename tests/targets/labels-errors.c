/* Calls that fail for every reason that errno knows, and with many results. */
#include "samples.h"
#include "victim.h"

#include <errno.h>

enum {
    ERRNO_LAST = 133, /* EHWPOISON */
    RESULTS = 200
};

TRACKED int fail_by_errno(int number)
{
    TOUCH();
    errno = number;
    return -1;
}

TRACKED long fail_by_result(long result)
{
    TOUCH();
    return result;
}

TRACKED void *fail_by_pointer(int is_null)
{
    static int place;

    TOUCH();
    return is_null ? NULL : &place;
}

static void give_errno(int number, int times)
{
    for (int i = 0; i < times; i++)
        CHECK(fail_by_errno(number) == -1 && errno == number);
}

/* The i-th reason i times; numbers without a name, and those that no kernel has, are one value. */
static void by_errno(void)
{
    int others = 0;

    for (int i = 1; i <= ERRNO_LAST; i++) {
        give_errno(i, i);
        if (!strerrorname_np(i))
            others += i;
        else
            printf("sample call_errors_total{function=\"fail_by_errno\",error_type=\"%s\"} %d\n", strerrorname_np(i),
                   i);
    }
    give_errno(ERRNO_LAST + 1, 1);
    give_errno(4000, 2);
    give_errno(-5, 3);
    give_errno(INT32_MIN, 1);
    others += 7;
    printf("sample call_errors_total{function=\"fail_by_errno\",error_type=\"_other\"} %d\n", others);
    printf("sample calls_total{function=\"fail_by_errno\",outcome=\"error\"} %d\n",
           ERRNO_LAST * (ERRNO_LAST + 1) / 2 + 7);
}

/* A call that failed and set no errno has a type too. */
static void by_no_errno(void)
{
    give_errno(0, 9);
    give_errno(EIO, 1);
    printf("series call_errors_total{function=\"fail_by_errno\"} 2\n");
    printf("total call_errors_total{function=\"fail_by_errno\"} 10\n");
    printf("sample call_errors_total{function=\"fail_by_errno\",error_type=\"EIO\"} 1\n");
}

/* Negative results are errors, whose number may be greater than the cap. */
static void by_result(void)
{
    for (long i = -RESULTS; i <= 50; i++)
        for (int round = 0; round < 4; round++)
            CHECK(fail_by_result(i) == i);
    printf("sample calls_total{function=\"fail_by_result\",outcome=\"error\"} %d\n", 4 * RESULTS);
    printf("sample calls_total{function=\"fail_by_result\",outcome=\"success\"} %d\n", 4 * 51);
    printf("total call_errors_total{function=\"fail_by_result\"} %d\n", 4 * RESULTS);
}

static void by_pointer(void)
{
    for (int i = 0; i < 30; i++)
        CHECK(!fail_by_pointer(i % 3 == 0) == (i % 3 == 0));
    printf("sample calls_total{function=\"fail_by_pointer\",outcome=\"error\"} 10\n");
    printf("sample call_errors_total{function=\"fail_by_pointer\",error_type=\"null\"} 10\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"errno", by_errno}, {"no_errno", by_no_errno}, {"result", by_result}, {"pointer", by_pointer}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
