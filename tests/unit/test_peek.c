/* preload/control/memory/peek.h: what can be read is read as it is, what cannot is refused, in both ways of asking. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#include "preload/control/memory/peek.h"

enum {
    PAGE = 4096
};

/* Two pages, of which the second cannot be read; each byte of the first is the low one of its offset. */
static uint8_t *map_pages(void)
{
    uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        abort();
    for (size_t i = 0; i < PAGE; i++)
        pages[i] = (uint8_t)i;
    if (mprotect(pages + PAGE, PAGE, PROT_NONE) != 0)
        abort();
    return pages;
}

static bool is_refused(uintptr_t address, unsigned bytes)
{
    uint64_t value = 4711;

    return !peek(address, bytes, &value) && value == 4711;
}

/* How often something is not as it should be: cmocka's assertions do not work in a child. */
static int count_wrong(void)
{
    uint8_t *pages = map_pages();
    int wrong = 0;

    for (size_t offset = 0; offset < 24; offset++) {
        for (unsigned bytes = 1; bytes <= 8; bytes++) {
            uint64_t expected = 0;
            uint64_t value = 0;

            memcpy(&expected, pages + offset, bytes);
            wrong += !peek((uintptr_t)pages + offset, bytes, &value) || value != expected;
        }
    }
    for (unsigned bytes = 1; bytes <= 8; bytes++) {
        uintptr_t end = (uintptr_t)pages + PAGE;

        wrong += is_refused(end - bytes, bytes);
        wrong += !is_refused(end - bytes + 1, bytes);
        wrong += !is_refused(end, bytes);
        wrong += !is_refused(0, bytes);
        wrong += !is_refused(1, bytes);
        wrong += !is_refused(UINT64_C(0x8000000000000000), bytes);
        wrong += !is_refused(UINT64_C(0xFFFFFFFF80000000), bytes);
        wrong += !is_refused(UINTPTR_MAX, bytes);
    }
    munmap(pages, 2 * PAGE);
    return wrong;
}

static void reads_what_is_there_and_refuses_what_is_not(void **state)
{
    (void)state;
    assert_int_equal(count_wrong(), 0);
}

/* As a sandbox may: process_vm_readv(2) fails, everything else goes on. */
static void forbid(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void does_so_where_a_sandbox_forbids_the_better_way(void **state)
{
    static const int errors[] = {EPERM, ENOSYS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pid_t child = fork();
        int status = 0;

        assert_true(child >= 0);
        if (child == 0) {
            forbid(errors[i]);
            _exit(count_wrong() != 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
            skip(); /* seccomp itself is forbidden */
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_there_and_refuses_what_is_not),
        cmocka_unit_test(does_so_where_a_sandbox_forbids_the_better_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
