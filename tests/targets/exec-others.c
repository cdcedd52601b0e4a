/* Runs /usr/bin/env, or what the second argument says, by the way that is the mode, so that it shows the environment
 * that it was given. */
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

/* As /proc has it: what the kernel handed over at the start. */
static char **first_environment(void)
{
    static char text[1 << 16];
    static char *variables[1024];
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    size_t bytes = 0;
    size_t count = 0;
    ssize_t got;

    while ((got = read(fd, text + bytes, sizeof(text) - 1 - bytes)) > 0)
        bytes += (size_t)got;
    close(fd);
    for (char *at = text; at < text + bytes && count < 1023; at += strlen(at) + 1)
        variables[count++] = at;
    return variables;
}

/* Another preloaded object, from the folder that this program is in, and not to be instrumented. */
static char **own_settings(void)
{
    static char preload[4096] = "LD_PRELOAD=";
    static char *variables[] = {preload, "CALLMETER_DISABLE=1", "CALLMETER_LISTEN=127.0.0.1:1", NULL};
    ssize_t length = readlink("/proc/self/exe", preload + strlen(preload), 2048);
    char *slash = length > 0 ? strrchr(preload, '/') : preload;

    strcpy(slash, "/empty.so");
    return variables;
}

static void execute(const char *way, const char *path, char **variables)
{
    char *arguments[] = {(char *)path, NULL};

    if (!strcmp(way, "execv"))
        execv(path, arguments);
    if (!strcmp(way, "execve") || !strcmp(way, "main-environment") || !strcmp(way, "first-environment") ||
        !strcmp(way, "own-settings"))
        execve(path, arguments, variables);
    if (!strcmp(way, "execl"))
        execl(path, path, (char *)NULL);
    if (!strcmp(way, "execle"))
        execle(path, path, (char *)NULL, variables);
    if (!strcmp(way, "execlp"))
        execlp("env", "env", (char *)NULL);
    if (!strcmp(way, "execvp"))
        execvp("env", arguments);
    if (!strcmp(way, "execvpe"))
        execvpe("env", arguments, variables);
    if (!strcmp(way, "fexecve"))
        fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, variables);
    if (!strcmp(way, "execveat"))
        execveat(AT_FDCWD, path, arguments, variables, 0);
    if (!strcmp(way, "raw"))
        syscall(SYS_execve, path, arguments, variables);
    perror(way);
    _exit(2);
}

static int run(const char *way, const char *path, char **variables)
{
    char *arguments[] = {(char *)path, NULL};
    pid_t child;
    int status = 0;

    fflush(stdout);
    if (!strcmp(way, "system"))
        return system(path);
    if (!strcmp(way, "popen"))
        return pclose(popen(path, "w"));
    if (!strcmp(way, "spawn")) {
        CHECK(posix_spawn(&child, path, NULL, NULL, arguments, variables) == 0);
    } else if (!strcmp(way, "spawnp")) {
        CHECK(posix_spawnp(&child, "env", NULL, NULL, arguments, variables) == 0);
    } else {
        child = !strcmp(way, "raw") ? fork() : vfork();
        if (child == 0)
            execute(way, path, variables);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* Pages of address space. */
static long count_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long count = -1;

    CHECK(file && fscanf(file, "%ld", &count) == 1);
    if (file)
        fclose(file);
    return count;
}

/* As often as it takes to see whether each leaves something behind. */
static void run_often(const char *path)
{
    char **variables = own_settings();
    long first;

    CHECK(run("execve", path, variables) == 0);
    first = count_pages();
    for (int i = 0; i < 300; i++)
        CHECK(run("execve", path, variables) == 0);
    CHECK(count_pages() < first + 100);
}

int main(int argc, char **argv, char **variables)
{
    const char *path = argc > 2 ? argv[2] : "/usr/bin/env";

    if (argc < 2)
        return 64;
    if (!strcmp(argv[1], "first-environment"))
        variables = first_environment();
    else if (!strcmp(argv[1], "own-settings"))
        variables = own_settings();
    else if (strcmp(argv[1], "main-environment") != 0)
        variables = environ;
    CHECK(greet(1) == 1);
    if (!strcmp(argv[1], "often"))
        run_often(path);
    else
        CHECK(run(argv[1], path, variables) == 0);
    return victim_failures;
}
