/* The exec family, which the preload object stands in for. An instrumented program has no trace of the shim in its
 * environment; only a program that is wanted (host/successor.h) gets it back, at the moment when it is exec'ed.
 * Everything here may run in a child of vfork or in a signal handler: no allocation but by mmap, no lock. */
#include "preload/interpose/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/host/environment.h"
#include "preload/host/successor.h"
#include "preload/processes/address_limit.h"
#include "preload/signals/actions.h"
#include "preload/threads/attach.h"

static int (*real_execve)(const char *, char *const[], char *const[]);
static int (*real_execvpe)(const char *, char *const[], char *const[]);
static int (*real_fexecve)(int, char *const[], char *const[]);
static int (*real_execveat)(int, const char *, char *const[], char *const[], int);
static int (*real_posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                               char *const[], char *const[]);
static int (*real_posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                                char *const[], char *const[]);

void exec_resolve(void)
{
    *(void **)&real_execve = dlsym(RTLD_NEXT, "execve");
    *(void **)&real_execvpe = dlsym(RTLD_NEXT, "execvpe");
    *(void **)&real_fexecve = dlsym(RTLD_NEXT, "fexecve");
    *(void **)&real_execveat = dlsym(RTLD_NEXT, "execveat");
    *(void **)&real_posix_spawn = dlsym(RTLD_NEXT, "posix_spawn");
    *(void **)&real_posix_spawnp = dlsym(RTLD_NEXT, "posix_spawnp");
}

static enum environment_for exec_for(bool is_wanted)
{
    return is_wanted ? ENVIRONMENT_FOR_SUCCESSOR : ENVIRONMENT_FOR_OTHERS;
}

static enum environment_for spawn_for(bool is_wanted)
{
    return is_wanted ? ENVIRONMENT_FOR_CHILD : ENVIRONMENT_FOR_OTHERS;
}

/* Constructors of libraries come before ours, and may exec. */
static void make_environment(struct environment *environment, char *const *variables, enum environment_for program)
{
    if (!real_execve)
        exec_resolve();
    environment_begin(environment, variables, program);
}

static void exec_begin(void)
{
    lanes_ending(ABANDONED_EXEC);
    signals_exec_begin();
    address_limit_exec_begin();
}

/* exec has failed. */
static int exec_end(const struct environment *environment, int result)
{
    lanes_not_ending();
    address_limit_exec_failed();
    signals_exec_failed();
    environment_end(environment);
    return result;
}

static int spawn_end(const struct environment *environment, int result)
{
    signals_spawn_end();
    environment_end(environment);
    return result;
}

static int exec_path(const char *path, char *const *arguments, char *const *variables)
{
    struct environment environment;

    make_environment(&environment, variables, exec_for(successor_is_wanted(AT_FDCWD, path, arguments)));
    exec_begin();
    return exec_end(&environment, real_execve(path, arguments, environment.variables));
}

static int exec_name(const char *name, char *const *arguments, char *const *variables)
{
    struct environment environment;

    make_environment(&environment, variables, exec_for(successor_is_name_wanted(name, arguments)));
    exec_begin();
    return exec_end(&environment, real_execvpe(name, arguments, environment.variables));
}

/* The interposers -------------------------------------------------------------------------------------------------- */

INTERPOSE(int, execve)(const char *path, char *const arguments[], char *const variables[])
{
    return exec_path(path, arguments, variables);
}

INTERPOSE(int, execv)(const char *path, char *const arguments[])
{
    return exec_path(path, arguments, environ);
}

INTERPOSE(int, execvpe)(const char *name, char *const arguments[], char *const variables[])
{
    return exec_name(name, arguments, variables);
}

INTERPOSE(int, execvp)(const char *name, char *const arguments[])
{
    return exec_name(name, arguments, environ);
}

INTERPOSE(int, fexecve)(int fd, char *const arguments[], char *const variables[])
{
    struct environment environment;

    make_environment(&environment, variables, exec_for(successor_is_wanted(fd, "", arguments)));
    exec_begin();
    return exec_end(&environment, real_fexecve(fd, arguments, environment.variables));
}

INTERPOSE(int, execveat)(int fd, const char *path, char *const arguments[], char *const variables[], int flags)
{
    struct environment environment;

    make_environment(&environment, variables, exec_for(successor_is_wanted(fd, path, arguments)));
    exec_begin();
    return exec_end(&environment, real_execveat(fd, path, arguments, environment.variables, flags));
}

INTERPOSE(int, posix_spawn)
(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *restrict actions,
 const posix_spawnattr_t *restrict attributes, char *const arguments[restrict], char *const variables[restrict])
{
    struct environment environment;

    make_environment(&environment, variables, spawn_for(successor_is_wanted(AT_FDCWD, path, arguments)));
    signals_spawn_begin();
    return spawn_end(&environment, real_posix_spawn(pid, path, actions, attributes, arguments, environment.variables));
}

INTERPOSE(int, posix_spawnp)
(pid_t *restrict pid, const char *restrict name, const posix_spawn_file_actions_t *restrict actions,
 const posix_spawnattr_t *restrict attributes, char *const arguments[restrict], char *const variables[restrict])
{
    struct environment environment;

    make_environment(&environment, variables, spawn_for(successor_is_name_wanted(name, arguments)));
    signals_spawn_begin();
    return spawn_end(&environment, real_posix_spawnp(pid, name, actions, attributes, arguments, environment.variables));
}

/* exec(3)'s list forms: the arguments up to NULL as an array, which is mapped, since it may be long and the stack
 * small. */
struct list {
    char **arguments;
    size_t bytes;
};

static bool list_init(struct list *list, const char *first, va_list *rest)
{
    va_list counting;
    size_t count = 1;

    va_copy(counting, *rest);
    while (va_arg(counting, const char *))
        count++;
    va_end(counting);
    list->bytes = (count + 1) * sizeof(char *);
    list->arguments = mmap(NULL, list->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (list->arguments == MAP_FAILED)
        return false;
    list->arguments[0] = (char *)first;
    for (size_t i = 1; i <= count; i++)
        list->arguments[i] = va_arg(*rest, char *);
    return true;
}

static int list_end(const struct list *list, int result)
{
    int saved_errno = errno;

    munmap(list->arguments, list->bytes);
    errno = saved_errno;
    return result;
}

INTERPOSE(int, execl)(const char *path, const char *first, ...)
{
    struct list list;
    va_list rest;
    bool is_made;

    va_start(rest, first);
    is_made = list_init(&list, first, &rest);
    va_end(rest);
    return is_made ? list_end(&list, exec_path(path, list.arguments, environ)) : -1;
}

INTERPOSE(int, execlp)(const char *name, const char *first, ...)
{
    struct list list;
    va_list rest;
    bool is_made;

    va_start(rest, first);
    is_made = list_init(&list, first, &rest);
    va_end(rest);
    return is_made ? list_end(&list, exec_name(name, list.arguments, environ)) : -1;
}

INTERPOSE(int, execle)(const char *path, const char *first, ...)
{
    struct list list;
    char *const *variables = NULL;
    va_list rest;
    bool is_made;

    va_start(rest, first);
    is_made = list_init(&list, first, &rest);
    if (is_made)
        variables = va_arg(rest, char *const *);
    va_end(rest);
    return is_made ? list_end(&list, exec_path(path, list.arguments, variables)) : -1;
}
