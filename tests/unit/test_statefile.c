/* Which file the counts go on from, of all that may lie in a directory: what is taken, refused, set aside, and in what
 * rights and descriptors that ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/control/state/statefile.h"

#define STATE "stem.state"
#define FRESH "stem.state.new"
#define LOCK  "stem.lock"

enum {
    OTHER_USER = 65534
};

static char folder[64]; /* the working directory too */
static char told[512];
static int told_count;
static enum segment_state_error told_error;

static void note(void *context, enum segment_state_error error, const char *text)
{
    (void)context;
    snprintf(told, sizeof(told), "%s", text);
    told_error = error;
    told_count++;
}

static int open_stem(struct statefile *file)
{
    int result;

    told_count = 0;
    alarm(60); /* it waits for nobody */
    result = statefile_open(file, folder, "stem", note, NULL);
    alarm(0);
    return result;
}

static void write_file(const char *name, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "text", 4), 4);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static bool is_there(const char *name)
{
    struct stat status;

    return lstat(name, &status) == 0;
}

static off_t size_of(const char *name)
{
    struct stat status;

    assert_int_equal(lstat(name, &status), 0);
    return status.st_size;
}

static mode_t mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(lstat(name, &status), 0);
    return status.st_mode & 07777;
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int run(const char *command)
{
    int status = system(command);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* How many files were set aside. */
static int count_aside(void)
{
    return run("exit $(ls -A | grep -c '^stem[.]state[.]bad-')");
}

/* Things that are no state files of ours --------------------------------------------------------------------------- */

static bool make_link(const char *name)
{
    write_file("target", 0600);
    return symlink("target", name) == 0;
}

static bool make_second_link(const char *name)
{
    write_file("target", 0600);
    return link("target", name) == 0;
}

static bool make_fifo(const char *name)
{
    return mkfifo(name, 0600) == 0;
}

static bool make_group_writable(const char *name)
{
    write_file(name, 0620);
    return true;
}

static bool make_writable(const char *name)
{
    write_file(name, 0602);
    return true;
}

static bool make_others(const char *name)
{
    write_file(name, 0600);
    return chown(name, OTHER_USER, OTHER_USER) == 0;
}

static bool make_folder(const char *name)
{
    return mkdir(name, 0700) == 0;
}

static const struct {
    const char *what;
    bool (*make)(const char *name); /* false: it takes rights that are not there */
} hostile[] = {
    {"a link", make_link},
    {"one of two links", make_second_link},
    {"a fifo", make_fifo},
    {"writable for the group", make_group_writable},
    {"writable for all", make_writable},
    {"another user's", make_others},
    {"a folder", make_folder},
};

static void test_hostile_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct statefile file;

        assert_int_equal(run("rm -rf ./*"), 0);
        if (!hostile[i].make(STATE))
            continue;
        if (open_stem(&file) != 0 || file.old >= 0 || file.fresh < 0 || told_count != 1 ||
            told_error != STATE_ERROR_UNSAFE || !strstr(told, "it is set aside") || is_there(STATE) ||
            count_aside() != 1)
            fail_msg("%s: %s", hostile[i].what, told);
        assert_true(!is_there("target") || size_of("target") == 4);
        statefile_close(&file);
    }
}

static void test_hostile_locks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct statefile file;

        assert_int_equal(run("rm -rf ./*"), 0);
        if (!hostile[i].make(LOCK))
            continue;
        if (open_stem(&file) >= 0 || file.fresh >= 0 || told_count != 1 ||
            (told_error != STATE_ERROR_UNSAFE && hostile[i].make != make_folder) || is_there(FRESH))
            fail_msg("%s: %s", hostile[i].what, told);
        statefile_close(&file);
    }
}

/* What a start that was killed left, or somebody else: the counts go into a new file in its place. */
static void test_hostile_fresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct statefile file;

        assert_int_equal(run("rm -rf ./*"), 0);
        if (hostile[i].make == make_folder || !hostile[i].make(FRESH))
            continue;
        if (open_stem(&file) != 0 || mode_of(FRESH) != 0600 || size_of(FRESH) != 0)
            fail_msg("%s: %s", hostile[i].what, told);
        assert_true(!is_there("target") || size_of("target") == 4);
        statefile_close(&file);
    }
    assert_int_equal(run("rm -rf ./*"), 0);
}

static int open_with_mode(mode_t mode)
{
    struct statefile file;
    int result;

    assert_int_equal(chmod(folder, mode), 0);
    result = open_stem(&file);
    statefile_close(&file);
    assert_int_equal(chmod(folder, 0700), 0);
    return result;
}

static void test_directories(void **state)
{
    struct statefile file;
    int result;

    (void)state;
    assert_int_equal(open_with_mode(0700), 0);
    assert_int_equal(open_with_mode(0755), 0);
    assert_int_equal(open_with_mode(0720), -EPERM);
    assert_int_equal(told_error, STATE_ERROR_UNSAFE);
    assert_int_equal(open_with_mode(0702), -EPERM);
    assert_int_equal(open_with_mode(01777), -EPERM);
    if (chown(folder, OTHER_USER, (gid_t)-1) == 0) {
        result = open_stem(&file);
        statefile_close(&file);
        assert_int_equal(chown(folder, geteuid(), (gid_t)-1), 0);
        assert_int_equal(result, -EPERM);
    }
    assert_int_equal(statefile_open(&file, "/nowhere", "stem", note, NULL), -ENOENT);
    assert_non_null(strstr(told, "create it"));
    assert_int_equal(told_error, STATE_ERROR_IO);
    statefile_close(&file);
}

/* Rights and descriptors ------------------------------------------------------------------------------------------- */

static void test_umask(void **state)
{
    struct statefile file;
    mode_t before = umask(0777);
    int result = open_stem(&file);

    (void)state;
    umask(before);
    assert_int_equal(result, 0);
    assert_int_equal(mode_of(LOCK), 0600);
    assert_int_equal(mode_of(FRESH), 0600);
    assert_int_equal(statefile_publish(&file), 0);
    statefile_close(&file);
    assert_int_equal(mode_of(STATE), 0600);
}

static void test_descriptors(void **state)
{
    int before = count_descriptors();
    struct statefile file;

    (void)state;
    write_file(STATE, 0600);
    assert_int_equal(open_stem(&file), 0);
    assert_true(file.old >= 0 && file.fresh >= 0);
    assert_int_equal(count_descriptors(), before + 4);
    for (int fd = 0; fd < 256; fd++)
        if (fd == file.old || fd == file.fresh || fd == file.lock || fd == file.directory)
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(file.fresh, F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(statefile_publish(&file), 0);
    statefile_close(&file);
    assert_int_equal(count_descriptors(), before);
    assert_false(is_there(FRESH));
    assert_int_equal(size_of(STATE), 0);

    assert_int_equal(open_stem(&file), 0);
    statefile_close(&file);
    assert_int_equal(count_descriptors(), before);
    assert_false(is_there(FRESH));

    assert_int_equal(unlink(LOCK), 0);
    assert_true(make_fifo(LOCK));
    assert_true(open_stem(&file) < 0);
    statefile_close(&file);
    assert_int_equal(count_descriptors(), before);
}

/* No lease stays on a file that others may open: its signal would end the program. */
static void test_leases(void **state)
{
    struct statefile file;

    (void)state;
    write_file(STATE, 0600);
    assert_int_equal(open_stem(&file), 0);
    assert_true(file.old >= 0);
    assert_int_equal(fcntl(file.old, F_GETLEASE), F_UNLCK);
    statefile_close(&file);
}

/* The next start waits for its turn: the lock is held until the end, and not beyond. */
static void test_lock(void **state)
{
    struct statefile file;

    (void)state;
    assert_int_equal(open_stem(&file), 0);
    assert_int_equal(run("flock -n " LOCK " true"), 1);
    statefile_close(&file);
    assert_int_equal(run("flock -n " LOCK " true"), 0);
}

/* Setting aside ---------------------------------------------------------------------------------------------------- */

static void test_three_are_kept(void **state)
{
    struct statefile file;

    (void)state;
    write_file(STATE ".bad-20200101T000000.000000001Z", 0600);
    write_file("stem.2.state.bad-20200101T000000.000000001Z", 0600);
    write_file("xstem.state.bad-20200101T000000.000000001Z", 0600);
    for (int i = 1; i <= 5; i++) {
        write_file(STATE, 0600);
        assert_int_equal(open_stem(&file), 0);
        assert_true(file.old >= 0);
        statefile_set_aside(&file, STATE_ERROR_MANIFEST, "why");
        assert_int_equal(file.old, -1);
        assert_int_equal(told_error, STATE_ERROR_MANIFEST);
        assert_non_null(strstr(told, "/" STATE ": why; it is set aside"));
        statefile_close(&file);
        assert_false(is_there(STATE));
        assert_int_equal(count_aside(), i < 3 ? i + 1 : 3);
        assert_int_equal(is_there(STATE ".bad-20200101T000000.000000001Z"), i < 3);
    }
    assert_true(is_there("stem.2.state.bad-20200101T000000.000000001Z"));
    assert_true(is_there("xstem.state.bad-20200101T000000.000000001Z"));
}

static int enter_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_statefile.XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return chdir("/") != 0 || run(command) != 0;
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_hostile_files), IN_FOLDER(test_hostile_locks), IN_FOLDER(test_hostile_fresh),
        IN_FOLDER(test_directories),   IN_FOLDER(test_umask),         IN_FOLDER(test_descriptors),
        IN_FOLDER(test_leases),        IN_FOLDER(test_lock),          IN_FOLDER(test_three_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
