/* The parts of a report: text, files, names from objects. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/control/memory/safe_read.h"
#include "preload/control/reports/elf_names.h"
#include "preload/control/reports/mapped.h"
#include "preload/control/reports/report_file.h"
#include "preload/control/reports/report_text.h"
#include "preload/control/reports/signal_names.h"

#define NO_DEADLINE  UINT64_MAX
#define NAME(second) "panic-20260101T0000" second ".000Z-12-34.json"

enum {
    DAMAGES = 3000,
};

static char folder[64];
static int lowest; /* descriptor that is free */

/* Text ------------------------------------------------------------------------------------------------------------- */

static void assert_time(const char *expected, int64_t seconds, long nanoseconds, bool is_compact)
{
    char buffer[64] = "";
    struct report_text text = {.data = buffer, .capacity = sizeof(buffer) - 1};

    report_text_put_time(&text, seconds, nanoseconds, is_compact);
    assert_string_equal(expected, buffer);
}

static void test_times(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00.000Z", 0, 0, false);
    assert_time("1999-12-31T23:59:59.999Z", 946684799, 999999999, false);
    assert_time("2000-02-29T12:00:00.001Z", 951825600, 1999999, false);
    assert_time("2024-03-01T00:00:00.000Z", 1709251200, 0, false);
    assert_time("2100-02-28T23:59:59.000Z", 4107542399, 0, false);
    assert_time("2100-03-01T00:00:00.000Z", 4107542400, 0, false);
    assert_time("1969-12-31T23:59:59.000Z", -1, 0, false);
    assert_time("20240301T000000.000Z", 1709251200, 0, true);
}

/* Against libc, for each of the days of 400 years. */
static void test_dates(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 146097; day++) {
        time_t seconds = (time_t)(day * 86400);
        char expected[64];
        struct tm parts;

        gmtime_r(&seconds, &parts);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
        assert_time(expected, seconds, 0, false);
    }
}

static void assert_json(const char *expected, const char *string)
{
    char buffer[256] = "";
    struct report_text text = {.data = buffer, .capacity = sizeof(buffer) - 1};

    report_text_put_json(&text, string);
    assert_string_equal(expected, buffer);
}

static void test_strings(void **state)
{
    (void)state;
    assert_json("\"\"", "");
    assert_json("\"plain\"", "plain");
    assert_json("\"\\u0022\\u005c\\u000a\\u007f\"", "\"\\\n\x7F");
    assert_json("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_json("\"\xEF\xBF\xBD\"", "\xFF");
    assert_json("\"\xEF\xBF\xBD\"", "\xC3");                                 /* cut */
    assert_json("\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "\xC0\x80");                 /* overlong */
    assert_json("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "\xED\xA0\x80"); /* a surrogate */
}

static void test_numbers(void **state)
{
    char buffer[256] = "";
    struct report_text text = {.data = buffer, .capacity = sizeof(buffer) - 1};

    (void)state;
    report_text_put_decimal(&text, INT64_MIN);
    report_text_put(&text, " ");
    report_text_put_decimal(&text, 0);
    report_text_put(&text, " ");
    report_text_put_padded(&text, 7, 3);
    report_text_put(&text, " ");
    report_text_put_hexadecimal(&text, 0);
    report_text_put(&text, " ");
    report_text_put_hexadecimal(&text, UINT64_MAX);
    assert_string_equal("-9223372036854775808 0 007 0x0 0xffffffffffffffff", buffer);
}

static void test_plain(void **state)
{
    char buffer[64] = "";
    struct report_text text = {.data = buffer, .capacity = sizeof(buffer) - 1};

    (void)state;
    report_text_put_plain(&text, "a\x1B[31m\xC2\x9B\xFF\xC3\xA4");
    assert_string_equal("a?[31m??\xC3\xA4", buffer);
}

static void test_room(void **state)
{
    char buffer[8];
    struct report_text text = {.data = buffer, .capacity = 4};

    (void)state;
    report_text_put(&text, "abc");
    assert_false(text.is_cut);
    report_text_put(&text, "de");
    report_text_put(&text, "f");
    assert_true(text.is_cut);
    assert_int_equal(3, text.length);
}

static void test_signals(void **state)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};

    (void)state;
    assert_string_equal("SIGSEGV", signal_name(SIGSEGV));
    assert_null(signal_name(SIGRTMIN));
    assert_string_equal("SEGV_ACCERR", signal_code_name(SIGSEGV, SEGV_ACCERR));
    assert_string_equal("FPE_INTDIV", signal_code_name(SIGFPE, FPE_INTDIV));
    assert_string_equal("SI_TKILL", signal_code_name(SIGABRT, SI_TKILL));
    assert_null(signal_code_name(SIGABRT, 77));
    assert_true(signal_has_address(&info));
    info.si_code = SI_KERNEL;
    assert_false(signal_has_address(&info));
    info.si_code = SI_USER;
    assert_false(signal_has_address(&info));
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static int setup(void **state)
{
    (void)state;
    lowest = dup(STDERR_FILENO);
    close(lowest);
    strcpy(folder, "/tmp/callmeter-report.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];
    int next = dup(STDERR_FILENO);

    (void)state;
    close(next);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) != 0 || next != lowest || fcntl(lowest + 1, F_GETFD) >= 0;
}

static char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void test_names(void **state)
{
    (void)state;
    assert_true(report_file_is_name(NAME("00")));
    assert_true(report_file_is_name("panic-20260102T030405.678Z-1-1234567.json"));
    assert_false(report_file_is_name("panic-20260102T030405.678Z-1-.json"));
    assert_false(report_file_is_name("panic-20260102T030405.678Z-1-2.json.bak"));
    assert_false(report_file_is_name(".panic-20260102T030405.678Z-1-2.json"));
    assert_false(report_file_is_name("panic-notes.json"));
    assert_false(report_file_is_name(""));
}

static void test_write(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(0, report_file_write(folder, NAME("00"), "text", 4));
    assert_int_equal(0, stat(path_of(NAME("00")), &status));
    assert_int_equal(S_IFREG | 0600, status.st_mode);
    assert_int_equal(4, status.st_size);
    /* What is there stays. */
    assert_int_equal(-EEXIST, report_file_write(folder, NAME("00"), "other text", 10));
    assert_int_equal(0, stat(path_of(NAME("00")), &status));
    assert_int_equal(4, status.st_size);
    assert_false(is_there("." NAME("00")));
}

static void test_links(void **state)
{
    char other[256];

    (void)state;
    strcpy(other, path_of("elsewhere"));
    assert_int_equal(0, symlink(other, path_of(NAME("00"))));
    assert_int_equal(-EEXIST, report_file_write(folder, NAME("00"), "text", 4));
    assert_int_equal(0, symlink(other, path_of("." NAME("01"))));
    assert_int_equal(-EEXIST, report_file_write(folder, NAME("01"), "text", 4));
    assert_false(is_there("elsewhere"));
}

static void test_unsafe_folders(void **state)
{
    char link[256];

    (void)state;
    chmod(folder, 0770);
    assert_int_equal(-EPERM, report_file_prepare(folder));
    assert_int_equal(-EPERM, report_file_write(folder, NAME("00"), "text", 4));
    chmod(folder, 01777);
    assert_int_equal(0, report_file_prepare(folder));
    chmod(folder, 0700);
    strcpy(link, path_of("link"));
    assert_int_equal(0, symlink(folder, link));
    assert_int_equal(-ENOTDIR, report_file_write(link, NAME("00"), "text", 4));
    assert_int_equal(-ENOENT, report_file_write(path_of("missing"), NAME("00"), "text", 4));
    assert_int_equal(-ENOENT, report_file_prepare(path_of("missing/below")));
    assert_int_equal(0, report_file_prepare(path_of("made")));
    assert_true(is_there("made"));
    if (geteuid() == 0 && chown(folder, 1000, 1000) == 0) {
        assert_int_equal(-EPERM, report_file_write(folder, NAME("00"), "text", 4));
        assert_int_equal(0, chown(folder, 0, 0));
    }
}

/* A file that is too large for the limit stands for a full disk: nothing of it is left. */
static void test_full(void **state)
{
    struct rlimit before, small;
    static char data[65536];

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){4096, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(-EFBIG, report_file_write(folder, NAME("00"), data, sizeof(data)));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(is_there(NAME("00")));
    assert_false(is_there("." NAME("00")));
}

static void test_prune(void **state)
{
    static const char *const names[] = {NAME("03"), NAME("01"), NAME("00"), NAME("04"), NAME("02")};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_int_equal(0, report_file_write(folder, names[i], "text", 4));
    assert_int_equal(0, report_file_write(folder, "panic-notes.json", "text", 4));
    report_file_prune(folder, NAME("04"), 5, NO_DEADLINE);
    assert_true(is_there(NAME("00")));
    report_file_prune(folder, NAME("00"), 3, NO_DEADLINE); /* the clock was set back: the newest has the oldest name */
    assert_true(is_there(NAME("00")));
    assert_false(is_there(NAME("01")));
    assert_false(is_there(NAME("02")));
    assert_true(is_there(NAME("03")));
    report_file_prune(folder, NAME("04"), 1, 0); /* too late */
    assert_true(is_there(NAME("03")));
    report_file_prune(folder, NAME("04"), 1, NO_DEADLINE);
    assert_false(is_there(NAME("03")));
    assert_true(is_there(NAME("04")));
    assert_true(is_there("panic-notes.json"));
}

/* What has such a name and is none of ours stays, and does not count. */
static void test_prune_spares(void **state)
{
    char target[256];

    (void)state;
    strcpy(target, path_of("panic-notes.json"));
    assert_int_equal(0, report_file_write(folder, "panic-notes.json", "text", 4));
    assert_int_equal(0, symlink(target, path_of(NAME("01"))));
    assert_int_equal(0, mkdir(path_of(NAME("02")), 0700));
    assert_int_equal(0, report_file_write(folder, NAME("03"), "text", 4));
    if (geteuid() == 0)
        assert_int_equal(0, chown(path_of(NAME("03")), 1000, 1000));
    assert_int_equal(0, report_file_write(folder, NAME("10"), "text", 4));
    assert_int_equal(0, report_file_write(folder, NAME("11"), "text", 4));
    report_file_prune(folder, NAME("11"), geteuid() == 0 ? 2 : 3, NO_DEADLINE);
    assert_true(is_there(NAME("10")));
    report_file_prune(folder, NAME("11"), 0, NO_DEADLINE);
    assert_false(is_there(NAME("10")));
    assert_true(is_there(NAME("11")));
    assert_true(is_there(NAME("01")) && is_there(NAME("02")));
    assert_int_equal(geteuid() == 0, is_there(NAME("03")));
}

/* Every digit in every place, and what lies beside the digits in none. */
static void test_report_names(void **state)
{
    static const char pattern[] = "panic-00000000T000000.000Z-0-0.json";
    char name[sizeof(pattern)];

    (void)state;
    for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
        strcpy(name, pattern);
        for (name[i] = '0'; pattern[i] == '0' && name[i] <= '9'; name[i]++)
            assert_true(report_file_is_name(name));
        name[i] = '0' - 1;
        assert_int_equal(pattern[i] == name[i], report_file_is_name(name));
        name[i] = '9' + 1;
        assert_false(report_file_is_name(name));
        name[i] = '\0';
        assert_false(report_file_is_name(name));
    }
    assert_true(report_file_is_name("panic-19870605T091827.364Z-1029384756-9081726354.json"));
    assert_false(report_file_is_name("panic-19870605T091827.364Z-1-2.jsonx"));
    assert_false(report_file_is_name("panic-19870605T091827.364Z--2.json"));
}

/* The deadline is a moment of the monotonic clock, in nanoseconds. */
static void test_deadline(void **state)
{
    struct timespec now;
    uint64_t now_ns;

    (void)state;
    assert_int_equal(0, report_file_write(folder, NAME("00"), "text", 4));
    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    report_file_prune(folder, NAME("04"), 0, now_ns - 1);
    assert_true(is_there(NAME("00")));
    report_file_prune(folder, NAME("04"), 0, now_ns + UINT64_C(3600000000000));
    assert_false(is_there(NAME("00")));
}

/* Names ------------------------------------------------------------------------------------------------------------ */

__attribute__((noinline)) void known_function(void);

void known_function(void)
{
    __asm__ volatile("nop; nop; nop");
}

static void find(const char *path, const char *build_id, struct elf_name *ret_name)
{
    struct mapped mapped;
    struct elf_name *names[] = {ret_name};
    uint8_t image[64];

    safe_read_begin();
    mapped_init();
    assert_true(mapped_find((uintptr_t)known_function, &mapped));
    memset(ret_name, 0, sizeof(*ret_name));
    ret_name->address = (uintptr_t)known_function + 1 - mapped.bias;
    assert_true(safe_read(mapped.start, image, sizeof(image)));
    elf_names_find(path, build_id, image, names, 1, NO_DEADLINE);
}

static void own_build_id(char build_id[MAPPED_BUILD_ID_BYTES])
{
    struct mapped mapped;

    mapped_init();
    assert_true(mapped_find((uintptr_t)known_function, &mapped));
    mapped_build_id(&mapped, build_id);
}

static void test_own_name(void **state)
{
    char build_id[MAPPED_BUILD_ID_BYTES];
    static struct elf_name name;

    (void)state;
    own_build_id(build_id);
    find("/proc/self/exe", build_id, &name);
    assert_true(name.is_found);
    assert_string_equal("known_function", name.text);
    find("/proc/self/exe", "", &name); /* by its header alone */
    assert_string_equal("known_function", name.text);
    find("/proc/self/exe", "0123456789abcdef", &name);
    assert_false(name.is_found);
    find("/nothing/of/that/name", build_id, &name);
    assert_false(name.is_found);
    find("/dev/zero", build_id, &name);
    assert_false(name.is_found);
}

/* Whatever the file holds: an answer, which may be wrong, and no fault. */
static void test_damaged_files(void **state)
{
    char build_id[MAPPED_BUILD_ID_BYTES];
    static struct elf_name name;
    struct stat status;
    uint8_t *bytes;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    own_build_id(build_id);
    assert_int_equal(0, fstat(fd, &status));
    bytes = malloc((size_t)status.st_size);
    assert_int_equal(status.st_size, read(fd, bytes, (size_t)status.st_size));
    close(fd);
    fd = open(path_of("object"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(status.st_size, write(fd, bytes, (size_t)status.st_size));
    srand(1);
    for (int i = 0; i < DAMAGES; i++) {
        uint64_t sections = *(const uint64_t *)(const void *)(bytes + 0x28); /* e_shoff */
        bool is_header = rand() % 2;
        uint64_t at = is_header ? (uint64_t)rand() % 64 : sections + (uint64_t)rand() % 2500;
        uint8_t junk[2] = {(uint8_t)rand(), (uint8_t)rand()};

        if (at + 2 > (uint64_t)status.st_size)
            continue;
        assert_int_equal(2, pwrite(fd, junk, 2, (off_t)at));
        find(path_of("object"), i % 2 ? build_id : "", &name);
        assert_int_equal(2, pwrite(fd, bytes + at, 2, (off_t)at));
    }
    find(path_of("object"), build_id, &name);
    assert_string_equal("known_function", name.text);
    assert_int_equal(0, ftruncate(fd, status.st_size / 2));
    find(path_of("object"), build_id, &name);
    assert_false(name.is_found);
    close(fd);
    free(bytes);
}

static void test_safe_read(void **state)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char text[16];
    uint64_t word;

    (void)state;
    safe_read_begin();
    assert_false(safe_read(0, &word, sizeof(word)));
    assert_false(safe_read(UINTPTR_MAX - 3, &word, sizeof(word)));
    assert_false(safe_read(UINT64_C(1) << 63, &word, sizeof(word)));
    munmap(pages + 4096, 4096);
    strcpy(pages + 4092, "end");
    assert_true(safe_read_string((uintptr_t)pages + 4092, text, sizeof(text)));
    assert_string_equal("end", text);
    pages[4095] = 'x';
    assert_false(safe_read_string((uintptr_t)pages + 4092, text, sizeof(text)));
    assert_string_equal("", text);
    assert_false(safe_read((uintptr_t)pages + 4090, &word, sizeof(word)));
    assert_true(safe_read((uintptr_t)pages + 4088, &word, sizeof(word)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsafe_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prune_spares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test(test_report_names),
        cmocka_unit_test(test_own_name),
        cmocka_unit_test_setup_teardown(test_damaged_files, setup, teardown),
        cmocka_unit_test(test_safe_read),
    };

    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
