/* The variables by which the shim is found: what the program sees of them, and what each that it execs is given. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/host/environment.h"
#include "preload/host/preload_list.h"

#define OBJECT "./libcallmeter.so"

enum {
    VARIABLES_MAX = 40,
    TEXT_BYTES = 2048
};

static char folder[64] = "/tmp/test_environment.XXXXXX";
static char shared_list[256]; /* LD_PRELOAD for others */
static char shared_manifest[256];
static char **own_variables; /* the test's */

/* Variables, with their order, as one text. */
static const char *shown(char *const *variables)
{
    static char text[TEXT_BYTES];

    text[0] = '\0';
    for (; variables && *variables; variables++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s|", *variables);
    return text;
}

static const char *begun(struct environment *environment, char *const *given, enum environment_for program)
{
    environment_begin(environment, given, program);
    return shown(environment->variables);
}

/* Lists of preloaded objects --------------------------------------------------------------------------------------- */

static void test_lists(void **state)
{
    static const struct {
        const char *items;
        const char *others;
        bool has;
    } cases[] = {
        {"", "", false},
        {"/a/libcallmeter.so", "", true},
        {"libcallmeter.so", "", true},
        {"/$LIB/libcallmeter.so", "", true},
        {"/b/libcallmeter.so.1", "/b/libcallmeter.so.1", false},
        {"/b/xlibcallmeter.so", "/b/xlibcallmeter.so", false},
        {"/b/libcallmeter.s", "/b/libcallmeter.s", false},
        {"/b/libcallmeter.sO", "/b/libcallmeter.sO", false},
        {"a.so:/a/libcallmeter.so b.so", "a.so b.so", true},
        {"/a/libcallmeter.so a.so:b.so", "a.so:b.so", true},
        {"a.so /a/libcallmeter.so", "a.so", true},
        {"/a/libcallmeter.so:/b/libcallmeter.so", "", true},
        {" : /a/libcallmeter.so::a.so: ", "a.so", true},
        {"/libcallmeter.so/a.so", "/libcallmeter.so/a.so", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char others[128];

        preload_list_others(others, cases[i].items, "/a/libcallmeter.so");
        assert_string_equal(others, cases[i].others);
        assert_int_equal(preload_list_has(cases[i].items, "/a/libcallmeter.so"), cases[i].has);
    }
}

/* Sharing: paths hold from anywhere -------------------------------------------------------------------------------- */

static void test_keep(void **state)
{
    static char preload[] = "LD_PRELOAD=/x/first.so ./libcallmeter.so:last.so";
    static char manifest[] = "CALLMETER_MANIFEST=a.json:/b.json::c/d.json";
    static char *variables[] = {"A=1",
                                preload,
                                "CALLMETER_LISTEN=127.0.0.1:0",
                                manifest,
                                "CALLMETER_STATE_DIR=state",
                                "CALLMETER_PORT_FILE=port",
                                "CALLMETER_EXE=./a",
                                "CALLMETERS=kept",
                                "CALLMETER=kept",
                                "LD_PRELOADS=kept",
                                "B=2",
                                NULL};
    char *copy[VARIABLES_MAX];
    char expected[TEXT_BYTES];

    (void)state;
    memcpy(copy, variables, sizeof(variables));
    environ = copy;
    environment_keep(OBJECT);
    assert_string_equal(shown(copy), shown(variables));
    snprintf(shared_list, sizeof(shared_list), "/x/first.so %s/libcallmeter.so:last.so", folder);
    snprintf(shared_manifest, sizeof(shared_manifest), "%s/a.json:/b.json::%s/c/d.json", folder, folder);
    environment_share();
    snprintf(expected, sizeof(expected),
             "A=1|LD_PRELOAD=%s|CALLMETER_LISTEN=127.0.0.1:0|CALLMETER_MANIFEST=%s|CALLMETER_STATE_DIR=%s/state|"
             "CALLMETER_PORT_FILE=%s/port|CALLMETER_EXE=./a|CALLMETERS=kept|CALLMETER=kept|LD_PRELOADS=kept|B=2|",
             shared_list, shared_manifest, folder, folder);
    assert_string_equal(shown(copy), expected);
}

/* Programs that are exec'ed ---------------------------------------------------------------------------------------- */

/* The variables that the process was started with. */
static char *const first[] = {"LD_PRELOAD=/x/first.so ./libcallmeter.so:last.so",
                              "CALLMETER_LISTEN=127.0.0.1:0",
                              "CALLMETER_MANIFEST=a.json:/b.json::c/d.json",
                              "CALLMETER_STATE_DIR=state",
                              "CALLMETER_PORT_FILE=port",
                              "CALLMETER_EXE=./a",
                              "C=3",
                              NULL};

/* What is kept of callmeter's own but for LD_PRELOAD and the address. */
static const char *kept_text(const char *listen)
{
    static char text[TEXT_BYTES / 2];

    snprintf(text, sizeof(text),
             "%sCALLMETER_MANIFEST=%s|CALLMETER_STATE_DIR=%s/state|CALLMETER_PORT_FILE=%s/port|CALLMETER_EXE=./a|",
             listen, shared_manifest, folder, folder);
    return text;
}

static void test_others_before_cleaning(void **state)
{
    struct environment environment;

    (void)state;
    begun(&environment, first, ENVIRONMENT_FOR_OTHERS);
    assert_ptr_equal(environment.variables, first);
    assert_null(environment.mapping);
    environment_end(&environment);
}

static bool is_mapped(const void *address)
{
    return msync((void *)((uintptr_t)address & ~(uintptr_t)4095), 1, MS_ASYNC) == 0;
}

static void test_others(void **state)
{
    char *one_less[] = {first[0], first[1], first[2], first[3], first[4], "C=3", NULL};
    char *other_value[] = {first[0], "CALLMETER_LISTEN=127.0.0.1:1", first[2], first[3], first[4], first[5], NULL};
    struct environment environment;

    (void)state;
    assert_string_equal(begun(&environment, first, ENVIRONMENT_FOR_OTHERS), "LD_PRELOAD=/x/first.so:last.so|C=3|");
    assert_true(is_mapped(environment.mapping));
    environment_end(&environment);
    assert_false(is_mapped(environment.mapping));
    begun(&environment, one_less, ENVIRONMENT_FOR_OTHERS);
    assert_ptr_equal(environment.variables, one_less);
    begun(&environment, other_value, ENVIRONMENT_FOR_OTHERS);
    assert_ptr_equal(environment.variables, other_value);
    begun(&environment, NULL, ENVIRONMENT_FOR_OTHERS);
    assert_null(environment.variables);
    environment_end(&environment);
}

static void test_child(void **state)
{
    char complete[300];
    char *const whole[] = {"CALLMETER_MANIFEST=other.json", complete, NULL};
    char *const only_manifest[] = {"CALLMETER_MANIFEST=other.json", "D=4", NULL};
    char *const only_preload[] = {"A=1", complete, NULL};
    char *const own_preload[] = {"A=1", "LD_PRELOAD=/other.so", "D=4", NULL};
    char *const as_cleaned[] = {"A=1", "LD_PRELOAD=/x/first.so:last.so", NULL};
    char *const nothing[] = {NULL};
    struct environment environment;
    char expected[TEXT_BYTES];

    (void)state;
    snprintf(complete, sizeof(complete), "LD_PRELOAD=%s", shared_list);
    begun(&environment, whole, ENVIRONMENT_FOR_CHILD);
    assert_ptr_equal(environment.variables, whole);

    snprintf(expected, sizeof(expected),
             "CALLMETER_MANIFEST=other.json|D=4|LD_PRELOAD=%s/libcallmeter.so|CALLMETER_LISTEN=127.0.0.1:0|"
             "CALLMETER_STATE_DIR=%s/state|CALLMETER_PORT_FILE=%s/port|CALLMETER_EXE=./a|",
             folder, folder, folder);
    assert_string_equal(begun(&environment, only_manifest, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);

    snprintf(expected, sizeof(expected), "A=1|%s|%s", complete, kept_text("CALLMETER_LISTEN=127.0.0.1:0|"));
    assert_string_equal(begun(&environment, only_preload, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);

    snprintf(expected, sizeof(expected), "A=1|D=4|LD_PRELOAD=%s/libcallmeter.so:/other.so|%s", folder,
             kept_text("CALLMETER_LISTEN=127.0.0.1:0|"));
    assert_string_equal(begun(&environment, own_preload, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);

    snprintf(expected, sizeof(expected), "A=1|%s|%s", complete, kept_text("CALLMETER_LISTEN=127.0.0.1:0|"));
    assert_string_equal(begun(&environment, as_cleaned, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);

    snprintf(expected, sizeof(expected), "LD_PRELOAD=%s/libcallmeter.so|%s", folder,
             kept_text("CALLMETER_LISTEN=127.0.0.1:0|"));
    assert_string_equal(begun(&environment, nothing, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);
    assert_string_equal(begun(&environment, NULL, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);
}

/* The address that the process serves goes on to what it becomes, and to nobody else. */
static void test_address(void **state)
{
    char *const nothing[] = {NULL};
    char *const chosen[] = {"CALLMETER_LISTEN=127.0.0.1:9", NULL};
    struct environment environment;
    char expected[TEXT_BYTES];
    pid_t child;
    int status;

    (void)state;
    environment_keep_address("127.0.0.1:4711");
    environment_keep_address("127.0.0.1:4712");
    snprintf(expected, sizeof(expected), "CALLMETER_LISTEN=127.0.0.1:4712|LD_PRELOAD=%s/libcallmeter.so|%s", folder,
             kept_text(""));
    assert_string_equal(begun(&environment, nothing, ENVIRONMENT_FOR_SUCCESSOR), expected);
    environment_end(&environment);
    snprintf(expected, sizeof(expected), "LD_PRELOAD=%s/libcallmeter.so|%s", folder,
             kept_text("CALLMETER_LISTEN=127.0.0.1:0|"));
    assert_string_equal(begun(&environment, nothing, ENVIRONMENT_FOR_CHILD), expected);
    environment_end(&environment);
    child = fork();
    if (child == 0)
        _exit(strcmp(begun(&environment, nothing, ENVIRONMENT_FOR_SUCCESSOR), expected) != 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    snprintf(expected, sizeof(expected), "CALLMETER_LISTEN=127.0.0.1:9|LD_PRELOAD=%s/libcallmeter.so|%s", folder,
             kept_text(""));
    assert_string_equal(begun(&environment, chosen, ENVIRONMENT_FOR_SUCCESSOR), expected);
    environment_end(&environment);
}

/* A handler's exec comes between; and a child of vfork has its parent's memory, and cannot give back what it execs
 * with. */
static void test_memory(void **state)
{
    struct environment inner;
    struct environment outer;
    void *volatile left = NULL;
    volatile bool is_kept = false;
    pid_t child;
    int status;

    (void)state;
    begun(&outer, first, ENVIRONMENT_FOR_OTHERS);
    begun(&inner, first, ENVIRONMENT_FOR_OTHERS);
    assert_true(is_mapped(outer.mapping));
    environment_end(&inner);
    assert_false(is_mapped(inner.mapping));
    assert_true(is_mapped(outer.mapping));
    environment_end(&outer);
    assert_false(is_mapped(outer.mapping));

    begun(&outer, first, ENVIRONMENT_FOR_OTHERS);
    child = vfork();
    if (child == 0) {
        environment_begin(&inner, first, ENVIRONMENT_FOR_OTHERS);
        is_kept = is_mapped(outer.mapping) && inner.mapping != outer.mapping;
        left = inner.mapping;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(is_kept);
    assert_true(is_mapped(left));
    environment_end(&outer);
    begun(&outer, first, ENVIRONMENT_FOR_OTHERS);
    assert_true(outer.mapping == left || !is_mapped(left));
    environment_end(&outer);
    assert_false(is_mapped(left));
}

/* Whose grandparent has given back what is not its own: there may be something else at that place. */
static void test_memory_of_grandparent(void **state)
{
    struct environment environment;
    void *place;
    pid_t child;
    int status;

    (void)state;
    begun(&environment, first, ENVIRONMENT_FOR_OTHERS);
    place = environment.mapping;
    environment_end(&environment);
    assert_ptr_equal(mmap(place, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), place);
    child = fork();
    if (child == 0) {
        child = fork();
        if (child == 0) {
            environment_begin(&environment, first, ENVIRONMENT_FOR_OTHERS);
            _exit(!is_mapped(place) || environment.mapping == place);
        }
        _exit(waitpid(child, &status, 0) != child || status != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap(place, 4096);
}

/* Then each is given what there is. */
static void test_no_memory(void **state)
{
    char *const nothing[] = {NULL};
    char *variables[] = {"LD_PRELOAD=a.so:./libcallmeter.so", NULL};
    struct rlimit none = {0, 0};
    struct environment environment;
    pid_t child;
    int status;

    (void)state;
    child = fork();
    if (child == 0) {
        bool is_same;

        setrlimit(RLIMIT_AS, &none);
        environment_begin(&environment, first, ENVIRONMENT_FOR_OTHERS);
        is_same = environment.variables == first && !environment.mapping;
        environment_end(&environment);
        environment_begin(&environment, nothing, ENVIRONMENT_FOR_SUCCESSOR);
        is_same = is_same && environment.variables == nothing && !environment.mapping;
        environ = variables;
        environment_clean(OBJECT, variables);
        _exit(!is_same || environ != variables || !text_is(variables[0], "LD_PRELOAD=a.so:./libcallmeter.so"));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Cleaning --------------------------------------------------------------------------------------------------------- */

/* The variables move up to the end of the array, whose places before them repeat the first one. */
static void test_clean_initial(void **state)
{
    static char others[] = "LD_PRELOAD=a.so:./libcallmeter.so b.so";
    char *initial[] = {"A=1", "CALLMETER_MANIFEST=m", others, "B=2", "CALLMETER_LISTEN=none", "CALLMETERS=3", NULL};
    char *const *end = initial + 6;

    (void)state;
    environ = initial;
    environment_clean(OBJECT, initial);
    assert_ptr_equal(environ, initial + 2);
    assert_string_equal(shown(environ), "A=1|LD_PRELOAD=a.so b.so|B=2|CALLMETERS=3|");
    assert_string_equal(shown(initial), "A=1|A=1|A=1|LD_PRELOAD=a.so b.so|B=2|CALLMETERS=3|");
    assert_null(*end);
    assert_string_equal(others, "LD_PRELOAD=a.so:./libcallmeter.so b.so");
}

static void test_clean_all(void **state)
{
    char *initial[] = {"CALLMETER_MANIFEST=m", "LD_PRELOAD=./libcallmeter.so", NULL};
    char *none[] = {NULL};

    (void)state;
    environ = initial;
    environment_clean(OBJECT, initial);
    assert_ptr_equal(environ, initial + 2);
    assert_null(initial[2]);
    assert_string_equal(shown(initial), "||");
    environ = none;
    environment_clean(OBJECT, none);
    assert_ptr_equal(environ, none);
    environ = NULL;
    environment_clean(OBJECT, NULL);
    assert_null(environ);
}

/* The program has made its own copy before: both are cleaned, the copy from its beginning. */
static void test_clean_copy(void **state)
{
    char *initial[] = {"A=1", "CALLMETER_MANIFEST=m", NULL};
    char *copy[] = {"CALLMETER_MANIFEST=m", "A=1", "LD_PRELOAD=./libcallmeter.so", "N=2", "LD_PRELOAD=other.so", NULL};

    (void)state;
    environ = copy;
    environment_clean(OBJECT, initial);
    assert_ptr_equal(environ, copy);
    assert_string_equal(shown(copy), "A=1|N=2|LD_PRELOAD=other.so|");
    assert_string_equal(shown(initial), "A=1|A=1|");
}

static int restore_environ(void **state)
{
    (void)state;
    environ = own_variables;
    return 0;
}

static int enter_folder(void **state)
{
    FILE *file;

    (void)state;
    own_variables = environ;
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    file = fopen("libcallmeter.so", "w");
    return file ? fclose(file) : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    return unlink("libcallmeter.so") != 0 || rmdir(folder) != 0;
}

/* In this order: what is kept is kept once in a process, and cleaned only then. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test_teardown(test_keep, restore_environ),
        cmocka_unit_test(test_others_before_cleaning),
        cmocka_unit_test_teardown(test_clean_initial, restore_environ),
        cmocka_unit_test_teardown(test_clean_all, restore_environ),
        cmocka_unit_test_teardown(test_clean_copy, restore_environ),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_child),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_of_grandparent),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
