/* Which programs a manifest names, as the gate reads it: without a parser, and wrong only to the side on which the
 * parser says so. Run as `test_executables`, from any folder. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/host/executables.h"

enum {
    PAGE = 4096
};

static char folder[64] = "/tmp/test_executables.XXXXXX";

/* Behind the text lies nothing that could be read. */
void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    char *memory = __real_mmap64(address, pages + PAGE, protection, flags, fd, offset);

    if (memory != MAP_FAILED)
        assert_int_equal(mprotect(memory + pages, PAGE, PROT_NONE), 0);
    return memory;
}

static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static const char *file_of(const char *name, const char *text, size_t bytes)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Whether the process is meant, and whether what it execs may be. */
static void test_documents(void **state)
{
    static const struct {
        const char *text;
        bool is_meant;
        bool is_followed;
    } cases[] = {
        /* Without the key: all are. */
        {"{}", true, false},
        {"{\"version\": 1}", true, false},
        {"{\"follow_exec\": true}", true, true},
        {"{\"follow_exec\": false}", true, false},
        {"{\"functions\": [], \"follow_exec\": true}", true, true},
        /* With it: those that it names. */
        {"{\"executables\": [\"test_executables\"]}", true, true},
        {"{\"executables\": [\"other\"]}", false, true},
        {"{\"executables\": [\"other\"], \"follow_exec\": false}", false, true},
        {"{\"executables\": [\"other\", \"test_*\"]}", true, true},
        {"{\"executables\": [\"other\",\"third\"]}", false, true},
        {"{\"executables\": [\"test_executable\"]}", false, true},
        {"{\"executables\": [\"*/test_executables\"]}", true, true},
        {" \t\r\n{ \"executables\" : [ \"other\" , \"third\" ] } ", false, true},
        {"{\"executables\": [\"as-argument\"]}", true, true},
        /* Behind all that a value can be, and not within it. */
        {"{\"a\": {\"executables\": [\"test_*\"]}, \"executables\": [\"other\"]}", false, true},
        {"{\"a\": [{\"b\": \"}]\"}, [1, -2.5e3, true, null]], \"executables\": [\"other\"]}", false, true},
        {"{\"a\": \"\\\"executables\\\": [\", \"executables\": [\"other\"]}", false, true},
        {"{\"a\": \"\\\\\", \"executables\": [\"other\"]}", false, true},
        {"{\"a\": 1,\"executables\": [\"other\"]}", false, true},
        {"{\"a\": [], \"executables\": [\"other\"]}", false, true},
        {"{\"xexecutables\": [\"other\"]}", true, false},
        {"{\"executables2\": [\"other\"]}", true, false},
        {"{\"executable\": [\"other\"]}", true, false},
        {"{\"a\": {\"executables\": [\"other\"]}}", true, false},
        /* What cannot be read here: the parser has to say it. */
        {"", true, false},
        {"[", true, false},
        {"{\"executables\"", true, false},
        {"{\"executables\": \"other\"}", true, true},
        {"{\"executables\": []}", true, true},
        {"{\"executables\": [\"oth\\u0065r\"]}", true, true},
        {"{\"executables\": [\"other\", 1]}", true, true},
        {"{\"executables\": [\"other", true, true},
        {"{\"a\": , \"executables\": [\"other\"]}", true, false},
        {"{\"a\" 1, \"executables\": [\"other\"]}", true, false},
        {"{\"a\": [1, \"executables\": [\"other\"]}", true, false},
        {"{\"a\\", true, false},
    };

    (void)state;
    executables_init("./some/as-argument");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = file_of("document", cases[i].text, strlen(cases[i].text));

        if (executables_match_manifests(path) != cases[i].is_meant)
            fail_msg("meant: %s", cases[i].text);
        if (executables_are_followed(path) != cases[i].is_followed)
            fail_msg("followed: %s", cases[i].text);
    }
}

static void test_list(void **state)
{
    static const char *const names[] = {"other", "as-argument", "third"};

    (void)state;
    executables_init("./some/as-argument");
    assert_false(executables_match(names, 0));
    assert_false(executables_match(names, 1));
    assert_true(executables_match(names, 3));
    assert_false(executables_match(names + 2, 1));
    executables_init(NULL);
    assert_false(executables_match(names, 3));
}

/* A NUL is no end, and no delimiter. */
static void test_nul(void **state)
{
    static const char text[] = "{\"a\": \0, \"executables\": [\"other\"]}";

    (void)state;
    assert_false(executables_match_manifests(file_of("nul", text, sizeof(text) - 1)));
}

static void test_several(void **state)
{
    static const char other[] = "{\"executables\": [\"other\"]}";
    static const char own[] = "{\"executables\": [\"test_*\"]}";
    static const char all[] = "{}";
    char paths[1024];

    (void)state;
    file_of("other", other, sizeof(other) - 1);
    file_of("own", own, sizeof(own) - 1);
    file_of("all", all, sizeof(all) - 1);
    snprintf(paths, sizeof(paths), "%s:%s", in_folder("other"), in_folder("own"));
    assert_true(executables_match_manifests(paths));
    snprintf(paths, sizeof(paths), "%s:%s", in_folder("own"), in_folder("other"));
    assert_true(executables_match_manifests(paths));
    snprintf(paths, sizeof(paths), ":%s::%s:", in_folder("other"), in_folder("other"));
    assert_false(executables_match_manifests(paths));
    snprintf(paths, sizeof(paths), "%s:%s", in_folder("all"), in_folder("other"));
    assert_false(executables_match_manifests(paths));
    assert_true(executables_are_followed(paths));
    assert_true(executables_match_manifests(in_folder("all")));
    assert_true(executables_match_manifests("/nowhere"));
    assert_false(executables_are_followed("/nowhere"));
    memset(paths, 'x', sizeof(paths));
    paths[sizeof(paths) - 1] = '\0';
    assert_true(executables_match_manifests(paths));
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Nothing waits for what is no file, and nothing stays open. */
static void test_no_files(void **state)
{
    int before = count_descriptors();

    (void)state;
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    alarm(60);
    assert_true(executables_match_manifests(in_folder("fifo")));
    alarm(0);
    assert_true(executables_match_manifests(folder));
    assert_true(executables_match_manifests("/dev/zero"));
    assert_true(executables_match_manifests("/proc/self/maps"));
    for (int i = 0; i < 3; i++)
        assert_false(executables_match_manifests(in_folder("other")));
    assert_int_equal(count_descriptors(), before);
}

/* As much as symbols/manifest/load.c takes, and a byte more. */
static void test_size(void **state)
{
    static const char text[] = "{\"executables\": [\"other\"]}";
    const char *path = file_of("large", text, sizeof(text) - 1);
    char *spaces = malloc(16 << 20);
    FILE *file;

    (void)state;
    assert_non_null(spaces);
    memset(spaces, ' ', 16 << 20);
    file = fopen(path, "a");
    assert_non_null(file);
    fwrite(spaces, 1, (16 << 20) - (sizeof(text) - 1), file);
    fclose(file);
    assert_false(executables_match_manifests(path));
    file = fopen(path, "a");
    fputc(' ', file);
    fclose(file);
    assert_true(executables_match_manifests(path));
    free(spaces);
}

/* A document that fills its page, and is cut off anywhere: nothing is read behind it. */
static void test_cut_off(void **state)
{
    static const char *const ends[] = {"{",
                                       "{\"a\"",
                                       "{\"a\":",
                                       "{\"a\": 1",
                                       "{\"a\": [",
                                       "{\"a\": \"x",
                                       "{\"a\": \"\\",
                                       "{\"a\": 1,",
                                       "{\"executables\":",
                                       "{\"executables\": [",
                                       "{\"executables\": [\"other",
                                       "{\"executables\": [\"other\"",
                                       "{\"executables\": [\"other\","};
    char text[PAGE];

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        bool is_whole = strcmp(ends[i], "{\"executables\": [\"other\"") == 0;

        memset(text, ' ', sizeof(text));
        memcpy(text + sizeof(text) - strlen(ends[i]), ends[i], strlen(ends[i]));
        assert_int_equal(executables_match_manifests(file_of("cut", text, sizeof(text))), !is_whole);
        memset(text, ' ', sizeof(text));
        memcpy(text, ends[i], strlen(ends[i]));
        executables_match_manifests(file_of("cut", text, sizeof(text)));
        executables_are_followed(in_folder("cut"));
    }
}

/* Names: of the path, of its last part, made absolute where the pattern has a slash. */
static void test_names(void **state)
{
    static const struct {
        const char *pattern;
        const char *path;
        bool is_match;
    } cases[] = {
        {"prog", "/a/prog", true},         {"prog", "prog", true},
        {"prog", "/prog/other", false},    {"/a/prog", "/a/prog", true},
        {"/a/*", "/a/b/prog", true},       {"/b/prog", "/a/prog", false},
        {"/tmp/x/prog", "x/prog", true},   {"/tmp/x/prog", "./x/prog", true},
        {"/tmp/prog", ".//prog", true},    {"/tmp/prog", "././/prog", true},
        {"/tmp/prog", "prog", false},      {"/x/prog", "x/prog", false},
        {"*/prog", "./prog", true},        {"prog*", "x/other", false},
        {"/tmp/.x/prog", ".x/prog", true}, {"", "/a/prog", false},
    };

    (void)state;
    assert_int_equal(chdir("/tmp"), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (executables_match_path(cases[i].pattern, cases[i].path, NULL) != cases[i].is_match)
            fail_msg("%s, %s", cases[i].pattern, cases[i].path);
    assert_true(executables_match_path("named", "/a/prog", "/b/named"));
    assert_false(executables_match_path("named", "/a/prog", NULL));
    assert_int_equal(symlink("/bin/sh", in_folder("link")), 0);
    assert_true(executables_match_path("*sh", in_folder("link"), NULL));
    assert_int_equal(chdir("/"), 0);
    assert_true(executables_match_path("/x/prog", "x/prog", NULL)); /* one slash, not two */
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents), cmocka_unit_test(test_list),     cmocka_unit_test(test_nul),
        cmocka_unit_test(test_several),   cmocka_unit_test(test_no_files), cmocka_unit_test(test_size),
        cmocka_unit_test(test_cut_off),   cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
