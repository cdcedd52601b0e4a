/* Executes itself anew, once, by the way that is the mode: greets 3 times before, and as often as the second argument
 * says afterwards. The new image takes its mode ("last") from its arguments, as servers do that restart. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static int greetings;

TRACKED int greet(int value)
{
    TOUCH();
    greetings++;
    return value;
}

static char *no_environment[] = {NULL};
static char *own_environment[] = {"GREETING=hello", "PATH=/usr/bin:/bin", NULL};

/* The name of the program without its folder, and the folder as the only one on PATH. */
static const char *put_on_path(const char *path)
{
    char *folder = strdup(path);
    char *slash = strrchr(folder, '/');

    *slash = '\0';
    setenv("PATH", folder, 1);
    return slash + 1;
}

static void spawn_and_wait(const char *path, char **arguments)
{
    pid_t child;
    int status = 0;

    if (posix_spawn(&child, path, NULL, NULL, arguments, environ) != 0)
        exit(2);
    while (waitpid(child, &status, 0) < 0)
        ;
    exit(WEXITSTATUS(status));
}

/* An upgrade: another file at the same path, while the old one runs. */
static void replace(const char *path)
{
    char command[1024];

    snprintf(command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new' '%s'", path, path, path, path);
    CHECK(system(command) == 0);
}

static void execute(const char *way, char **arguments)
{
    const char *path = arguments[0];

    if (!strcmp(way, "proc"))
        execv("/proc/self/exe", arguments);
    if (!strcmp(way, "path"))
        execv(path, arguments);
    if (!strcmp(way, "list"))
        execl(path, path, arguments[1], arguments[2], (char *)NULL);
    if (!strcmp(way, "search"))
        execvp(put_on_path(path), arguments);
    if (!strcmp(way, "descriptor"))
        fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, environ);
    if (!strcmp(way, "execveat"))
        execveat(AT_FDCWD, path, arguments, environ, 0);
    if (!strcmp(way, "own-environment"))
        execve(path, arguments, own_environment);
    if (!strcmp(way, "no-environment"))
        execve(path, arguments, no_environment);
    if (!strcmp(way, "upgrade")) {
        replace(path);
        execv(path, arguments);
    }
    if (!strcmp(way, "directory")) {
        if (chdir("/") == 0)
            execv(path, arguments);
    }
    if (!strcmp(way, "spawn"))
        spawn_and_wait(path, arguments);
    perror(way);
    exit(2);
}

int main(int argc, char **argv)
{
    char *count = argc > 2 ? argv[2] : "5";
    char *arguments[] = {argv[0], "last", count, NULL};

    if (argc < 2)
        return 64;
    if (strcmp(argv[1], "last") != 0) {
        for (int i = 0; i < 3; i++)
            CHECK(greet(1) == 1);
        execute(argv[1], arguments);
    }
    for (int i = 0; i < atoi(count); i++)
        CHECK(greet(1) == 1);
    printf("truth greet success=%d\n", greetings);
    for (char **variable = environ; *variable; variable++)
        if (strstr(*variable, "CALLMETER") || strstr(*variable, "libcallmeter"))
            printf("finds %s\n", *variable);
    return victim_finish();
}
