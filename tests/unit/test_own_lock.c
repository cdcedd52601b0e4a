/* Locks of machine/own_lock.c: held against others, and free in a child of fork. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/machine/own_lock.h"

static int child_status(int (*function)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(function());
    assert_int_equal(pid, waitpid(pid, &status, 0));
    return status;
}

static int try_both(void)
{
    return own_lock_try(OWN_LOCK_ACTIONS) && own_lock_try(OWN_LOCK_REPORT) && !own_lock_try(OWN_LOCK_REPORT) ? 0 : 1;
}

static void test_child_finds_it_free(void **state)
{
    (void)state;
    assert_true(own_lock_try(OWN_LOCK_ACTIONS));
    assert_int_equal(0, child_status(try_both));
    assert_false(own_lock_try(OWN_LOCK_ACTIONS));
    assert_true(own_lock_try(OWN_LOCK_REPORT));
    own_lock_leave(OWN_LOCK_REPORT);
    own_lock_leave(OWN_LOCK_ACTIONS);
}

static void test_signals_are_blocked(void **state)
{
    sigset_t blocked;
    uint64_t mask;

    (void)state;
    assert_true(own_lock_try(OWN_LOCK_ACTIONS)); /* else this would wait for ever */
    own_lock_leave(OWN_LOCK_ACTIONS);
    own_lock_take(OWN_LOCK_ACTIONS, &mask);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    own_lock_give(OWN_LOCK_ACTIONS, &mask);
    assert_true(sigismember(&blocked, SIGTERM));
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
    assert_true(own_lock_try(OWN_LOCK_ACTIONS));
    own_lock_leave(OWN_LOCK_ACTIONS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_finds_it_free),
        cmocka_unit_test(test_signals_are_blocked),
    };

    own_lock_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
