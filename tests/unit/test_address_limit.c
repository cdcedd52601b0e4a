/* Limits of address space and data, of which the program sees what it asked for, and the kernel ours beside it. Each
 * case runs in a child, whose limits are its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/processes/address_limit.h"

#define MIB               (UINT64_C(1) << 20)
#define OURS              (64 * MIB)
#define LIMIT             (UINT64_C(8) << 30)
#define ALL               RLIM_INFINITY
#define LATER             (80 * MIB) /* what may come, of address space */
#define EXPECT(condition) expect((condition), __LINE__, #condition)

static rlim_t ours; /* as measured: ours, and what may come */
static int failures;

static void expect(bool is_so, int line, const char *text)
{
    if (!is_so)
        fprintf(stderr, "line %d: %s\n", line, text);
    failures += !is_so;
}

/* The kernel's, without what stands between. */
static struct rlimit kernel(int resource)
{
    struct rlimit limit = {0, 0};

    EXPECT(syscall(SYS_prlimit64, 0, resource, NULL, &limit) == 0);
    return limit;
}

static void set_kernel(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};

    EXPECT(syscall(SYS_prlimit64, 0, resource, &limit, NULL) == 0);
}

static bool is(struct rlimit limit, rlim_t soft, rlim_t hard)
{
    return limit.rlim_cur == soft && limit.rlim_max == hard;
}

static struct rlimit shown(int resource)
{
    struct rlimit limit = {0, 0};

    EXPECT(address_limit_change(resource, NULL, &limit) == 0);
    return limit;
}

static int change(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};

    return address_limit_change(resource, &limit, NULL);
}

static void run_soft(void)
{
    EXPECT(is(shown(RLIMIT_AS), ALL, ALL));
    EXPECT(change(RLIMIT_AS, LIMIT, ALL) == 0);
    EXPECT(is(shown(RLIMIT_AS), LIMIT, ALL));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, ALL));
    EXPECT(is(kernel(RLIMIT_DATA), ALL, ALL));
    EXPECT(change(RLIMIT_AS, ALL - 1, ALL) == 0);
    EXPECT(is(shown(RLIMIT_AS), ALL - 1, ALL));
    EXPECT(is(kernel(RLIMIT_AS), ALL, ALL));
    EXPECT(change(RLIMIT_AS, 0, ALL) == 0);
    EXPECT(is(kernel(RLIMIT_AS), ours, ALL));
    EXPECT(change(RLIMIT_AS, ALL, ALL) == 0);
    EXPECT(is(kernel(RLIMIT_AS), ALL, ALL));
    EXPECT(change(RLIMIT_DATA, LIMIT, ALL) == 0);
    EXPECT(is(shown(RLIMIT_DATA), LIMIT, ALL));
    EXPECT(kernel(RLIMIT_DATA).rlim_cur > LIMIT + OURS && kernel(RLIMIT_DATA).rlim_cur < LIMIT + ours);
}

static void run_hard(void)
{
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT) == 0);
    EXPECT(is(shown(RLIMIT_AS), LIMIT, LIMIT));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, LIMIT + ours));
    EXPECT(change(RLIMIT_AS, LIMIT - MIB, LIMIT) == 0);
    EXPECT(is(shown(RLIMIT_AS), LIMIT - MIB, LIMIT));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT - MIB + ours, LIMIT + ours));
    EXPECT(change(RLIMIT_AS, LIMIT - MIB, LIMIT - MIB) == 0);
    EXPECT(is(kernel(RLIMIT_AS), LIMIT - MIB + ours, LIMIT - MIB + ours));
}

/* Where the hard limit was there before us, or its holder has no right to raise it, ours has no room in it. */
static void run_inherited(void)
{
    set_kernel(RLIMIT_AS, LIMIT, LIMIT);
    EXPECT(is(shown(RLIMIT_AS), LIMIT, LIMIT));
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT) == 0);
    EXPECT(is(kernel(RLIMIT_AS), LIMIT, LIMIT));
    EXPECT(change(RLIMIT_AS, LIMIT - 1024 * MIB, LIMIT) == 0);
    EXPECT(is(shown(RLIMIT_AS), LIMIT - 1024 * MIB, LIMIT));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT - 1024 * MIB + ours, LIMIT));
}

/* Who has the right raises it by as much as was asked for; who has not is refused. */
static void run_raised(void)
{
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT) == 0);
    if (change(RLIMIT_AS, LIMIT, LIMIT + MIB) == 0) {
        EXPECT(is(shown(RLIMIT_AS), LIMIT, LIMIT + MIB));
        EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, LIMIT + MIB + ours));
        EXPECT(change(RLIMIT_AS, LIMIT, LIMIT) == 0);
        EXPECT(setresuid(65534, 65534, 65534) == 0);
    }
    errno = 0;
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT + MIB) == -1 && errno == EPERM);
    EXPECT(is(shown(RLIMIT_AS), LIMIT, LIMIT));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, LIMIT + ours));
}

static void run_wrong(void)
{
    struct rlimit *nowhere = (struct rlimit *)(uintptr_t)16;
    struct rlimit limit = {LIMIT, ALL};

    EXPECT(change(RLIMIT_AS, LIMIT, ALL) == 0);
    errno = 0;
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT - 1) == -1 && errno == EINVAL);
    errno = 0;
    EXPECT(address_limit_change(RLIMIT_AS, nowhere, NULL) == -1 && errno == EFAULT);
    errno = 0;
    EXPECT(address_limit_change(RLIMIT_AS, NULL, nowhere) == -1 && errno == EFAULT);
    EXPECT(is(shown(RLIMIT_AS), LIMIT, ALL));
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, ALL));
    limit.rlim_cur = LIMIT - MIB;
    EXPECT(address_limit_change(RLIMIT_AS, &limit, &limit) == 0);
    EXPECT(is(limit, LIMIT, ALL));
    EXPECT(is(shown(RLIMIT_AS), LIMIT - MIB, ALL));
    EXPECT(address_limit_change(RLIMIT_AS, NULL, NULL) == 0);
}

/* What another process has set, or this one by a system call, is shown as it is, and left alone. */
static void run_of_others(void)
{
    EXPECT(change(RLIMIT_AS, LIMIT, ALL) == 0);
    set_kernel(RLIMIT_AS, LIMIT + MIB, ALL);
    EXPECT(is(shown(RLIMIT_AS), LIMIT + MIB, ALL));
    address_limit_exec_begin();
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + MIB, ALL));
    address_limit_exec_failed();
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + MIB, ALL));
}

static void run_exec(void)
{
    address_limit_exec_begin();
    address_limit_exec_failed();
    EXPECT(is(kernel(RLIMIT_AS), ALL, ALL));
    EXPECT(change(RLIMIT_AS, LIMIT, LIMIT) == 0);
    EXPECT(change(RLIMIT_DATA, LIMIT, ALL) == 0);
    errno = ERANGE;
    address_limit_exec_begin();
    EXPECT(errno == ERANGE);
    EXPECT(is(kernel(RLIMIT_AS), LIMIT, LIMIT + ours));
    EXPECT(is(kernel(RLIMIT_DATA), LIMIT, ALL));
    address_limit_exec_failed();
    EXPECT(errno == ERANGE);
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours, LIMIT + ours));
    EXPECT(is(shown(RLIMIT_AS), LIMIT, LIMIT));
    EXPECT(kernel(RLIMIT_DATA).rlim_cur > LIMIT + OURS);
    address_limit_exec_begin();
    set_kernel(RLIMIT_AS, LIMIT - MIB, LIMIT + ours);
    address_limit_exec_failed();
    EXPECT(is(kernel(RLIMIT_AS), LIMIT - MIB, LIMIT + ours));
}

/* The one that was set is put back, though the other was not. */
static void run_exec_with_data(void)
{
    EXPECT(change(RLIMIT_DATA, LIMIT, ALL) == 0);
    address_limit_exec_begin();
    EXPECT(is(kernel(RLIMIT_DATA), LIMIT, ALL));
    address_limit_exec_failed();
    EXPECT(kernel(RLIMIT_DATA).rlim_cur > LIMIT + OURS);
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Page by page, so that numbers with every digit are read; where the lowest descriptor is free, and none is left open.
 */
static void run_measured(void)
{
    enum {
        ROUNDS = 120
    };
    int before;

    close(STDIN_FILENO);
    before = count_descriptors();
    for (int i = 0; i < ROUNDS; i++) {
        address_limit_ours_begin();
        EXPECT(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        address_limit_ours_end();
    }
    EXPECT(count_descriptors() == before);
    EXPECT(change(RLIMIT_AS, LIMIT, ALL) == 0);
    EXPECT(is(kernel(RLIMIT_AS), LIMIT + ours + ROUNDS * 4096, ALL));
}

static void run_other_resources(void)
{
    EXPECT(address_limit_is_hidden(RLIMIT_AS) && address_limit_is_hidden(RLIMIT_DATA));
    EXPECT(!address_limit_is_hidden(RLIMIT_NOFILE) && !address_limit_is_hidden(RLIMIT_NPROC));
}

static void in_child(void (*run)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        run();
        _exit(failures);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define TEST(name)                                                                                                     \
    static void test_##name(void **state)                                                                              \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        in_child(run_##name);                                                                                          \
    }

TEST(soft)
TEST(hard)
TEST(inherited)
TEST(raised)
TEST(wrong)
TEST(of_others)
TEST(exec)
TEST(exec_with_data)
TEST(measured)
TEST(other_resources)

/* Before anything of ours is there, nothing is hidden. */
static void test_ours(void **state)
{
    void *memory;

    (void)state;
    assert_false(address_limit_is_hidden(RLIMIT_AS));
    address_limit_ours_begin();
    memory = mmap(NULL, OURS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    address_limit_ours_end();
    address_limit_ours_begin();
    memory = mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    address_limit_ours_end();
    ours = OURS + MIB + LATER; /* what may come is added once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_soft),
        cmocka_unit_test(test_hard),
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_raised),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_of_others),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_with_data),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_other_resources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
