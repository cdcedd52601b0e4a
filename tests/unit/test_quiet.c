/* What callmeter writes does nothing to the program: no signal of it stays, and no descriptor but the standard error
 * that there was at the start is written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "preload/machine/log.h"
#include "preload/machine/quiet.h"

static bool is_in(int (*ask)(sigset_t *), int signal)
{
    sigset_t set;

    sigemptyset(&set);
    assert_int_equal(0, ask(&set));
    return sigismember(&set, signal);
}

static int ask_blocked(sigset_t *set)
{
    return sigprocmask(SIG_BLOCK, NULL, set);
}

static void change(int how, int signal)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signal);
    assert_int_equal(0, sigprocmask(how, &set, NULL));
}

static int broken_pipe(void)
{
    int ends[2];

    assert_int_equal(0, pipe(ends));
    close(ends[0]);
    return ends[1];
}

/* The program has the signal blocked; it may be pending already, and then still is. */
static void check_blocked(int fd, int signal, int error)
{
    change(SIG_BLOCK, signal);
    assert_int_equal(-error, quiet_write(fd, "x", 1));
    assert_false(is_in(sigpending, signal));
    raise(signal);
    assert_int_equal(-error, quiet_write(fd, "x", 1));
    assert_true(is_in(sigpending, signal));
    assert_true(is_in(ask_blocked, signal));
    assert_int_equal(signal, sigtimedwait(&(sigset_t){{UINT64_C(1) << (signal - 1)}}, NULL, &(struct timespec){0}));
    change(SIG_UNBLOCK, signal);
    assert_int_equal(-error, quiet_write(fd, "x", 1)); /* else this would be the end */
    assert_false(is_in(ask_blocked, SIGPIPE));
    assert_false(is_in(ask_blocked, SIGXFSZ));
    assert_false(is_in(ask_blocked, SIGTTOU));
}

static void a_broken_pipe_raises_nothing(void **state)
{
    int fd = broken_pipe();

    (void)state;
    check_blocked(fd, SIGPIPE, EPIPE);
    close(fd);
}

static void a_limit_on_files_raises_nothing(void **state)
{
    char name[] = "/tmp/callmeter-quiet-XXXXXX";
    int fd = mkstemp(name);
    struct rlimit before;

    (void)state;
    assert_true(fd >= 0 && unlink(name) == 0 && getrlimit(RLIMIT_FSIZE, &before) == 0);
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, before.rlim_max}));
    check_blocked(fd, SIGXFSZ, EFBIG);
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &before));
    assert_int_equal(1, quiet_write(fd, "x", 1));
    close(fd);
}

static size_t waiting(int fd, char *text, size_t bytes)
{
    ssize_t count = read(fd, text, bytes - 1);

    text[count > 0 ? count : 0] = '\0';
    return count > 0 ? (size_t)count : 0;
}

static void nobody_is_waited_for(void **state)
{
    char text[64];
    int ends[2];

    (void)state;
    assert_int_equal(0, pipe2(ends, O_NONBLOCK));
    quiet_put(ends[1], "line\n", 5);
    assert_int_equal(5, waiting(ends[0], text, sizeof(text)));
    assert_string_equal("line\n", text);
    while (write(ends[1], "x", 1) == 1)
        ;
    assert_int_equal(0, fcntl(ends[1], F_SETFL, 0));
    quiet_put(ends[1], "line\n", 5); /* else it would wait for ever */
    close(ends[0]);
    quiet_put(ends[1], "line\n", 5);
    assert_false(is_in(sigpending, SIGPIPE));
    close(ends[1]);
    quiet_put(ends[1], "line\n", 5);
}

/* The log ---------------------------------------------------------------------------------------------------------- */

static int log_ends[2];
static int real_error;

static void log_to_pipe(const char *level)
{
    assert_int_equal(0, pipe2(log_ends, O_NONBLOCK));
    assert_int_equal(2, dup2(log_ends[1], 2));
    log_init(level);
}

static void log_back(void)
{
    dup2(real_error, 2);
    close(log_ends[0]);
    close(log_ends[1]);
}

/* Tells by bits which levels are written. */
static unsigned levels_written(const char *level)
{
    unsigned written = 0;

    log_to_pipe(level);
    for (enum log_level at = LOG_LEVEL_ERROR; at <= LOG_LEVEL_DEBUG; at++) {
        char text[128];

        log_line(at, "text");
        written |= (unsigned)(waiting(log_ends[0], text, sizeof(text)) > 0) << at;
    }
    log_back();
    return written;
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(levels_written(NULL), 3);
    assert_int_equal(levels_written("any"), 3);
    assert_int_equal(levels_written("off"), 0);
    assert_int_equal(levels_written("error"), 1);
    assert_int_equal(levels_written("warn"), 3);
    assert_int_equal(levels_written("info"), 7);
    assert_int_equal(levels_written("debug"), 15);
}

static void a_line_stays_one_line(void **state)
{
    char expected[128];
    char text[4096];
    char name[4000];

    (void)state;
    log_to_pipe("warn");
    errno = ENOENT;
    log_line(LOG_LEVEL_WARN, "of %s, %d", "a\nb\x7f\x1f\xc3\xa4 ", 7);
    assert_int_equal(errno, ENOENT);
    waiting(log_ends[0], text, sizeof(text));
    snprintf(expected, sizeof(expected), "callmeter[%d]: warn: of a?b??\xc3\xa4 , 7\n", getpid());
    assert_string_equal(expected, text);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    log_line(LOG_LEVEL_ERROR, "%s", name);
    assert_true(waiting(log_ends[0], text, sizeof(text)) < 2049);
    assert_true(strlen(text) > 2000 && text[strlen(text) - 1] == '\n' && text[strlen(text) - 2] == 'n');
    log_back();
}

/* The program may have put another file there. */
static void only_standard_error_is_written_to(void **state)
{
    char text[64];
    int others[2];

    (void)state;
    log_to_pipe("error");
    assert_int_equal(0, pipe2(others, O_NONBLOCK));
    log_write(2, "line\n", 5);
    assert_int_equal(5, waiting(log_ends[0], text, sizeof(text)));
    log_write(log_ends[1], "line\n", 5); /* the same by another number */
    assert_int_equal(5, waiting(log_ends[0], text, sizeof(text)));
    log_write(others[1], "line\n", 5);
    assert_int_equal(0, waiting(others[0], text, sizeof(text)));
    dup2(others[1], 2);
    log_write(2, "line\n", 5);
    assert_int_equal(0, waiting(others[0], text, sizeof(text)));
    assert_int_equal(0, waiting(log_ends[0], text, sizeof(text)));
    close(2);
    log_write(2, "line\n", 5);
    log_init(NULL); /* closed at the start */
    dup2(log_ends[1], 2);
    log_line(LOG_LEVEL_ERROR, "text");
    log_write(2, "line\n", 5);
    assert_int_equal(0, waiting(log_ends[0], text, sizeof(text)));
    close(others[0]);
    close(others[1]);
    log_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_pipe_raises_nothing), cmocka_unit_test(a_limit_on_files_raises_nothing),
        cmocka_unit_test(nobody_is_waited_for),         cmocka_unit_test(levels),
        cmocka_unit_test(a_line_stays_one_line),        cmocka_unit_test(only_standard_error_is_written_to),
    };

    real_error = dup(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
