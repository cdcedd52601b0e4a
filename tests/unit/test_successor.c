/* Which programs that one execs get the shim, as told by their files, names and arguments. The test runs itself anew
 * under other names, since what a program is comes from how it was started. */
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

#include "preload/host/executables.h"
#include "preload/host/self.h"
#include "preload/host/successor.h"

enum {
    WORDS_MAX = 16
};

static char folder[64] = "/tmp/test_successor.XXXXXX";

const char *self_environment(const char *name)
{
    return getenv(name);
}

/* In the folder of the test. */
static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void copy_self(const char *path)
{
    char command[256];

    snprintf(command, sizeof(command), "/bin/cp /proc/%d/exe '%s'", (int)getpid(), path);
    assert_int_equal(system(command), 0);
}

/* Asked in the new image ------------------------------------------------------------------------------------------- */

/* Puts a copy in the place of the file that this runs from. */
static bool upgrade(void)
{
    char path[256] = "";
    char copy[280];
    char command[600];

    if (readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0)
        return false;
    snprintf(copy, sizeof(copy), "%s.copy", path);
    snprintf(command, sizeof(command), "/bin/cp '%s' '%s'", path, copy);
    return system(command) == 0 && rename(copy, path) == 0;
}

/* WORD... then PATH WORD...: would this program, with its words up to "then", give the shim to PATH with the words
 * behind it? A path without a slash is searched for. */
static int ask(char **words)
{
    char *asked[WORDS_MAX + 1] = {NULL};
    const char *path;
    char **then = words;

    while (*then && strcmp(*then, "then") != 0)
        then++;
    if (!*then)
        return 2;
    *then++ = NULL;
    path = *then++;
    asked[0] = (char *)path;
    for (int i = 1; i < WORDS_MAX && *then; i++)
        asked[i] = *then++;
    successor_init(NULL, 0, words);
    if (words[1] && strcmp(words[1], "upgrade") == 0 && !upgrade())
        return 2;
    errno = ERANGE;
    if (strchr(path, '/') ? successor_is_wanted(AT_FDCWD, path, asked) : successor_is_name_wanted(path, asked))
        return errno == ERANGE ? 1 : 3;
    return errno == ERANGE ? 0 : 3;
}

/* Runs PROGRAM with words that are separated by blanks, and returns what it answers. */
static int answer_of(const char *program, char *words)
{
    char *arguments[WORDS_MAX + 1] = {(char *)program};
    pid_t child;
    int status;
    int count = 1;

    for (char *word = strtok(words, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        arguments[count++] = word;
    child = fork();
    if (child == 0) {
        setenv("TEST_SUCCESSOR_ASKS", "1", 1);
        execv(program, arguments);
        _exit(4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* As answer_of, with "%s" in the words for the folder. */
static int answer(const char *program, const char *form)
{
    char words[512] = "";

    for (const char *at = form; *at; at++)
        if (*at == '%')
            strcat(words, folder);
        else
            strncat(words, at, 1);
    return answer_of(in_folder(program), words);
}

static void test_itself(void **state)
{
    static const struct {
        const char *program;
        const char *words;
        int answer;
    } cases[] = {
        /* The file, whatever it is called and with what arguments. */
        {"server", "a then %/server", 1},
        {"server", "a then %/server b", 1},
        {"server", "a then /proc/self/exe", 1},
        {"server", "a then %/link", 1},
        {"server", "a then %/other", 0},
        {"server", "a then %/elsewhere/server", 0},
        {"server", "a then %/nowhere/server", 0},
        {"server", "a then %/", 0},
        /* On PATH, where the first folder has a file of that name which has no right to be run. */
        {"server", "a then server", 1},
        {"server", "a then other", 0},
        {"server", "a then nobody", 0},
        {"server", "a then link", 0}, /* by another name it is not looked for */
        /* What runs others: with the same arguments. */
        {"python3.11", "a b then %/python3.11 a b", 1},
        {"python3.11", "a b then %/python3.11 a", 0},
        {"python3.11", "a b then %/python3.11 a b c", 0},
        {"python3.11", "a b then %/python3.11 a c", 0},
        {"python3.11", "a b then %/python3.11", 0},
        {"python3.11", "a b then python3.11 a b", 1},
        {"python3.11", "a b then python3.11 a c", 0},
        {"python3.11", "then %/python3.11", 1},
        {"python3.11", "then %/python3.11 a", 0},
        {"bash-5.2", "a then %/bash-5.2 b", 0},
        {"env", "a then %/env b", 0},
        {"pythonic", "a then %/pythonic b", 1},
        {"3python", "a then %/3python b", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (answer(cases[i].program, cases[i].words) != cases[i].answer)
            fail_msg("%s %s: not %d", cases[i].program, cases[i].words, cases[i].answer);
}

/* A script is run by this test, as by an interpreter: it is the script that is the program then. */
static void test_script(void **state)
{
    char text[256];

    (void)state;
    snprintf(text, sizeof(text), "#!%s ask\n", in_folder("python3.11"));
    write_file(in_folder("script"), text, 0755);
    write_file(in_folder("script2"), text, 0755);
    assert_int_equal(answer("script", "a then %/script"), 1);
    assert_int_equal(answer("script", "a then %/script b"), 1);
    assert_int_equal(answer("script", "a then script b"), 1);
    assert_int_equal(answer("script", "a then %/script2 a"), 0);
    assert_int_equal(answer("script", "a then script2 a"), 0);
    assert_int_equal(answer("script", "a then %/python3.11 b"), 0);
}

/* Another file in the place of the one that runs; asked by the one that runs. */
static void test_upgrade(void **state)
{
    (void)state;
    assert_int_equal(answer("server", "upgrade then %/server"), 1);
    assert_int_equal(answer("server", "upgrade then server b"), 1);
    assert_int_equal(answer("server", "upgrade then %/before/../server b"), 1);
    assert_int_equal(answer("server", "upgrade then %/elsewhere/server"), 0);
    assert_int_equal(answer("server", "upgrade then %/other"), 0);
    assert_int_equal(answer("python3.11", "upgrade then %/python3.11 upgrade"), 1);
    assert_int_equal(answer("python3.11", "upgrade then %/python3.11 b"), 0);
}

static bool is_found(const char *path, const char *search)
{
    char *arguments[] = {"a", NULL};
    bool answer;

    setenv("PATH", search, 1);
    answer = successor_is_name_wanted(path, arguments);
    return answer;
}

static bool is_wanted_as(int directory, const char *path, char *argument)
{
    char *arguments[] = {argument, NULL};

    return successor_is_wanted(directory, path, arguments);
}

/* Patterns of names: of the path, of the first argument, of what a link leads to, of an open file. */
static void test_patterns(void **state)
{
    static const char *const patterns[] = {"serv*", "*/elsewhere/oth?r", "as-told"};
    char *own[] = {"test", NULL};
    char *no_arguments[] = {NULL};
    char *saved_path = strdup(getenv("PATH"));
    int fd;
    int other;

    (void)state;
    successor_init(patterns, 3, own);
    assert_true(is_wanted_as(AT_FDCWD, in_folder("server"), "a"));
    assert_true(is_wanted_as(AT_FDCWD, in_folder("link"), "a"));
    assert_true(is_wanted_as(AT_FDCWD, "/nowhere/server", "a"));
    assert_true(is_wanted_as(AT_FDCWD, in_folder("elsewhere/other"), "a"));
    assert_false(is_wanted_as(AT_FDCWD, in_folder("other"), "a"));
    assert_true(is_wanted_as(AT_FDCWD, in_folder("other"), "as-told"));
    assert_true(is_wanted_as(AT_FDCWD, in_folder("other"), "/x/as-told"));
    assert_true(successor_is_wanted(AT_FDCWD, in_folder("server"), NULL));
    assert_false(successor_is_wanted(AT_FDCWD, in_folder("other"), no_arguments));
    assert_false(successor_is_wanted(AT_FDCWD, NULL, no_arguments));
    fd = open(in_folder("server"), O_RDONLY | O_CLOEXEC);
    other = open(in_folder("other"), O_RDONLY | O_CLOEXEC);
    assert_true(is_wanted_as(fd, "", "a"));
    assert_false(is_wanted_as(other, "", "a"));
    assert_false(is_wanted_as(-1, "", "a"));
    close(fd);
    close(other);
    assert_true(is_found("server", folder));
    assert_true(is_found("link", folder)); /* to the server */
    assert_false(is_found("link", "/nowhere"));
    assert_int_equal(chdir(in_folder("elsewhere")), 0);
    assert_true(is_found("other", "/nowhere:")); /* nothing is the working directory, relative */
    assert_int_equal(chdir("/"), 0);
    setenv("PATH", saved_path, 1);
    free(saved_path);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    mkdir(in_folder("elsewhere"), 0755);
    mkdir(in_folder("before"), 0755);
    for (const char *const *name =
             (const char *const[]){"server", "python3.11", "bash-5.2", "env", "pythonic", "3python", "other", NULL};
         *name; name++)
        copy_self(in_folder(*name));
    copy_self(in_folder("elsewhere/server"));
    write_file(in_folder("before/server"), "", 0644);
    write_file(in_folder("elsewhere/other"), "", 0755);
    return symlink("server", in_folder("link"));
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

/* The new image: its folder is that of what it runs from. */
static int answer_as_asked(char **argv)
{
    char path[256] = "";
    char search[512];
    int first = strcmp(argv[1], "ask") == 0 ? 2 : 0;

    if (readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0)
        return 2;
    *strrchr(path, '/') = '\0';
    snprintf(search, sizeof(search), "%s/before:%s", path, path);
    setenv("PATH", search, 1);
    return ask(argv + first);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_itself),
        cmocka_unit_test(test_script),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_patterns),
    };

    if (getenv("TEST_SUCCESSOR_ASKS") && argc > 1)
        return answer_as_asked(argv);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
