/* The exec family, which the preload object stands in for. An instrumented program has no trace of the shim in its
 * environment; only a program that `executables` matches gets it back, at the moment when it is exec'ed. Everything
 * here may run in a child of vfork or in a signal handler: no allocation but by mmap, no lock. */
#include "preload/exec.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/executables.h"
#include "preload/self.h"
#include "preload/signals.h"

#define PRELOAD "LD_PRELOAD="
#define OWN     "CALLMETER_"

enum {
    KEPT_MAX = 16
};

static const char *const *patterns;
static size_t pattern_count;
static const char *kept[KEPT_MAX];
static size_t kept_count;

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

static bool is_ours(const char *variable)
{
    return strncmp(variable, PRELOAD, strlen(PRELOAD)) == 0 || strncmp(variable, OWN, strlen(OWN)) == 0;
}

void exec_init(const char *const *given, size_t count)
{
    char **copy = calloc(count, sizeof(*copy));

    for (size_t i = 0; copy && i < count; i++)
        copy[i] = strdup(given[i]);
    patterns = (const char *const *)copy;
    pattern_count = copy ? count : 0;
    for (char **variable = environ; variable && *variable && kept_count < KEPT_MAX; variable++)
        if (is_ours(*variable))
            kept[kept_count++] = strdup(*variable);
}

/* An environment with the kept variables in place of its own of those names. Its LD_PRELOAD, if it has one, is put
 * behind ours. */
struct enriched {
    char **variables;
    size_t bytes; /* of the mapping; 0: there is none */
};

static size_t count_variables(char *const *variables)
{
    size_t count = 0;

    while (variables && variables[count])
        count++;
    return count;
}

static const char *find_preload(char *const *variables)
{
    for (; variables && *variables; variables++)
        if (strncmp(*variables, PRELOAD, strlen(PRELOAD)) == 0)
            return *variables + strlen(PRELOAD);
    return NULL;
}

static bool enriched_init(struct enriched *enriched, char *const *variables)
{
    const char *other = find_preload(variables);
    size_t count = count_variables(variables);
    size_t pointers = (count + kept_count + 1) * sizeof(char *);
    size_t text = 2;
    char **to;

    for (size_t i = 0; i < kept_count; i++)
        text += strlen(kept[i]);
    text += other ? strlen(other) : 0;
    enriched->bytes = pointers + text;
    enriched->variables = mmap(NULL, enriched->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (enriched->variables == MAP_FAILED)
        return false;
    to = enriched->variables;
    for (size_t i = 0; i < count; i++)
        if (!is_ours(variables[i]))
            *to++ = variables[i];
    for (size_t i = 0; i < kept_count; i++) {
        *to = (char *)kept[i];
        if (other && *other && strncmp(kept[i], PRELOAD, strlen(PRELOAD)) == 0) {
            *to = (char *)enriched->variables + pointers;
            stpcpy(stpcpy(stpcpy(*to, kept[i]), ":"), other);
        }
        to++;
    }
    *to = NULL;
    return true;
}

static void enriched_finish(const struct enriched *enriched)
{
    int saved_errno = errno;

    munmap(enriched->variables, enriched->bytes);
    errno = saved_errno;
}

/* As execvp(3) looks for a name without a slash. */
static bool find_in_path(const char *name, char *ret_path, size_t bytes)
{
    const char *path = self_environment("PATH");

    for (path = path ? path : "/bin:/usr/bin"; *path; path += *path == ':') {
        size_t length = strcspn(path, ":");

        if ((size_t)snprintf(ret_path, bytes, "%.*s/%s", (int)length, path, name) < bytes &&
            access(ret_path, X_OK) == 0)
            return true;
        path += length;
    }
    return false;
}

/* True if the program gets the shim. Base names are compared, and the absolute path where the pattern has one. */
static bool is_wanted(const char *file, bool is_searched)
{
    char path[PATH_MAX];
    int saved_errno = errno;
    bool answer = false;

    if (pattern_count == 0 || !file)
        return false;
    if (is_searched && !strchr(file, '/') && find_in_path(file, path, sizeof(path)))
        file = path;
    for (size_t i = 0; i < pattern_count && !answer; i++)
        answer = executables_match_path(patterns[i], file);
    errno = saved_errno;
    return answer;
}

/* The environment for a program: what it was given, or, if it is wanted, that enriched. */
static char *const *environment_begin(struct enriched *enriched, bool is_wanted_one, char *const *variables)
{
    if (!real_execve)
        exec_resolve();
    enriched->bytes = 0;
    if (!is_wanted_one || !enriched_init(enriched, variables)) {
        enriched->bytes = 0;
        return variables;
    }
    return enriched->variables;
}

/* After a call that came back: exec failed, or a child was spawned. */
static int environment_end(const struct enriched *enriched, int result)
{
    if (enriched->bytes)
        enriched_finish(enriched);
    return result;
}

static int exec_end(const struct enriched *enriched, int result)
{
    signals_exec_failed();
    return environment_end(enriched, result);
}

static int spawn_end(const struct enriched *enriched, int result)
{
    signals_spawn_end();
    return environment_end(enriched, result);
}

static int exec_path(const char *path, char *const *arguments, char *const *variables)
{
    struct enriched enriched;
    char *const *environment = environment_begin(&enriched, is_wanted(path, false), variables);

    signals_exec_begin();
    return exec_end(&enriched, real_execve(path, arguments, environment));
}

static int exec_name(const char *name, char *const *arguments, char *const *variables)
{
    struct enriched enriched;
    char *const *environment = environment_begin(&enriched, is_wanted(name, true), variables);

    signals_exec_begin();
    return exec_end(&enriched, real_execvpe(name, arguments, environment));
}

/* An open file has a name in /proc, which says what it is. */
static bool is_wanted_fd(int fd)
{
    char link[64];
    char path[PATH_MAX];
    int saved_errno = errno;
    ssize_t length;

    if (pattern_count == 0)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof(path) - 1);
    errno = saved_errno;
    if (length <= 0)
        return false;
    path[length] = '\0';
    return is_wanted(path, false);
}

/* The interposers ---------------------------------------------------------------------------------------------------
 */

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int execve(const char *path, char *const arguments[], char *const variables[])
{
    return exec_path(path, arguments, variables);
}

PUBLIC int execv(const char *path, char *const arguments[])
{
    return exec_path(path, arguments, environ);
}

PUBLIC int execvpe(const char *name, char *const arguments[], char *const variables[])
{
    return exec_name(name, arguments, variables);
}

PUBLIC int execvp(const char *name, char *const arguments[])
{
    return exec_name(name, arguments, environ);
}

PUBLIC int fexecve(int fd, char *const arguments[], char *const variables[])
{
    struct enriched enriched;
    char *const *environment = environment_begin(&enriched, is_wanted_fd(fd), variables);

    signals_exec_begin();
    return exec_end(&enriched, real_fexecve(fd, arguments, environment));
}

PUBLIC int execveat(int fd, const char *path, char *const arguments[], char *const variables[], int flags)
{
    struct enriched enriched;
    bool wanted = (flags & AT_EMPTY_PATH) && *path == '\0' ? is_wanted_fd(fd) : is_wanted(path, false);
    char *const *environment = environment_begin(&enriched, wanted, variables);

    signals_exec_begin();
    return exec_end(&enriched, real_execveat(fd, path, arguments, environment, flags));
}

PUBLIC int posix_spawn(pid_t *restrict pid, const char *restrict path,
                       const posix_spawn_file_actions_t *restrict actions, const posix_spawnattr_t *restrict attributes,
                       char *const arguments[restrict], char *const variables[restrict])
{
    struct enriched enriched;
    char *const *environment = environment_begin(&enriched, is_wanted(path, false), variables);

    signals_spawn_begin();
    return spawn_end(&enriched, real_posix_spawn(pid, path, actions, attributes, arguments, environment));
}

PUBLIC int posix_spawnp(pid_t *restrict pid, const char *restrict name,
                        const posix_spawn_file_actions_t *restrict actions,
                        const posix_spawnattr_t *restrict attributes, char *const arguments[restrict],
                        char *const variables[restrict])
{
    struct enriched enriched;
    char *const *environment = environment_begin(&enriched, is_wanted(name, true), variables);

    signals_spawn_begin();
    return spawn_end(&enriched, real_posix_spawnp(pid, name, actions, attributes, arguments, environment));
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

PUBLIC int execl(const char *path, const char *first, ...)
{
    struct list list;
    va_list rest;
    bool is_made;

    va_start(rest, first);
    is_made = list_init(&list, first, &rest);
    va_end(rest);
    return is_made ? list_end(&list, exec_path(path, list.arguments, environ)) : -1;
}

PUBLIC int execlp(const char *name, const char *first, ...)
{
    struct list list;
    va_list rest;
    bool is_made;

    va_start(rest, first);
    is_made = list_init(&list, first, &rest);
    va_end(rest);
    return is_made ? list_end(&list, exec_name(name, list.arguments, environ)) : -1;
}

PUBLIC int execle(const char *path, const char *first, ...)
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
