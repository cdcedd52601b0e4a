/* Runs /usr/bin/env, or what the second argument says, by the way that is the mode, or the third argument, so that it
 * shows the environment that it was given. Or fails to, or makes many children, and looks at what is left of that. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* By name: as the path's last part. Returns where that fails. */
static void become(const char *way, const char *path, char **variables)
{
    char *arguments[] = {(char *)path, NULL};
    const char *name = strrchr(path, '/') + 1;

    if (!strcmp(way, "execv"))
        execv(path, arguments);
    if (!strcmp(way, "execve") || !strcmp(way, "main-environment") || !strcmp(way, "first-environment"))
        execve(path, arguments, variables);
    if (!strcmp(way, "execl"))
        execl(path, path, (char *)NULL);
    if (!strcmp(way, "execle"))
        execle(path, path, (char *)NULL, variables);
    if (!strcmp(way, "execlp"))
        execlp(name, name, (char *)NULL);
    if (!strcmp(way, "execvp"))
        execvp(name, arguments);
    if (!strcmp(way, "execvpe"))
        execvpe(name, arguments, variables);
    if (!strcmp(way, "fexecve")) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int error;

        fexecve(fd, arguments, variables);
        error = errno;
        close(fd);
        errno = error;
    }
    if (!strcmp(way, "execveat"))
        execveat(AT_FDCWD, path, arguments, variables, 0);
    if (!strcmp(way, "raw"))
        syscall(SYS_execve, path, arguments, variables);
}

static void execute(const char *way, const char *path, char **variables)
{
    become(way, path, variables);
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
        CHECK(posix_spawnp(&child, strrchr(path, '/') + 1, NULL, NULL, arguments, variables) == 0);
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

/* What /proc says of the signals that are ignored and caught. */
static void show_signals(char *text, size_t bytes)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];

    text[0] = '\0';
    while (file && fgets(line, sizeof(line), file))
        if (!strncmp(line, "SigIgn", 6) || !strncmp(line, "SigCgt", 6))
            strncat(text, line, bytes - strlen(text) - 1);
    if (file)
        fclose(file);
    CHECK(strlen(text) > 40);
}

/* Fails to exec a file that is there and has no right to be run, and is as before. */
static void fail_often(const char *path)
{
    static const char *const ways[] = {"execv",  "execve",  "execl",   "execle",  "execlp",
                                       "execvp", "execvpe", "fexecve", "execveat"};
    char before[512];
    char after[512];
    char **variables = own_settings();
    long first = 0;

    signal(SIGSEGV, SIG_IGN);
    show_signals(before, sizeof(before));
    for (int i = 0; i < 100; i++) {
        for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
            errno = 0;
            become(ways[way], path, variables);
            CHECK(errno == (strchr(ways[way], 'p') ? ENOENT : EACCES));
        }
        first = i == 0 ? count_pages() : first;
    }
    CHECK(count_pages() < first + 50);
    show_signals(after, sizeof(after));
    CHECK(!strcmp(before, after));
    CHECK(greet(1) == 1);
}

/* Makes children in libc, and is as before. */
static void spawn_often(void)
{
    static const char *const ways[] = {"spawn", "spawnp", "system", "popen"};
    char before[512];
    char after[512];
    char **variables = own_settings();
    long first = 0;

    signal(SIGSEGV, SIG_IGN);
    show_signals(before, sizeof(before));
    for (int i = 0; i < 20; i++) {
        for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
            CHECK(run(ways[way], "/usr/bin/true", variables) == 0);
            show_signals(after, sizeof(after));
            CHECK(!strcmp(before, after));
        }
        first = i == 0 ? count_pages() : first;
    }
    CHECK(count_pages() < first + 20);
}

int main(int argc, char **argv, char **variables)
{
    const char *path = argc > 2 ? argv[2] : "/usr/bin/env";
    const char *way = argc > 3 ? argv[3] : argv[1];

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
    else if (!strcmp(argv[1], "fail-often"))
        fail_often(path);
    else if (!strcmp(argv[1], "spawn-often"))
        spawn_often();
    else
        CHECK(run(way, path, variables) == 0);
    return victim_failures;
}
