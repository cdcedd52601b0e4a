#include "preload/host/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/host/executables.h"
#include "preload/host/self.h"
#include "preload/machine/x86_64/cpu.h"

/* A file, as stat(2) tells one from another. */
struct file {
    dev_t device;
    ino_t inode;
    bool is_known;
};

static const char *const *patterns;
static size_t pattern_count;

/* This program. */
static struct {
    struct file file;      /* that it runs from */
    struct file directory; /* of that */
    const char *name;
    struct file script;         /* that it was started as, where this is another file */
    const char *script_name;    /* "" if it is the program itself */
    char *const *own_arguments; /* without the first; NULL: they do not matter */
    bool is_known;
} program;

static bool file_find(struct file *file, int directory, const char *path)
{
    struct stat status;

    file->is_known =
        cpu_syscall(SYS_newfstatat, directory, (long)path, (long)&status, *path ? 0 : AT_EMPTY_PATH, 0, 0) == 0;
    if (!file->is_known)
        return false;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return true;
}

static bool file_is(const struct file *a, const struct file *b)
{
    return a->is_known && b->is_known && a->device == b->device && a->inode == b->inode;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The folder in which the path's last part lies. Not inlined: most callers can do without the path on their stack,
 * which may be a signal's. */
static __attribute__((noinline)) bool directory_find(struct file *file, int directory, const char *path)
{
    char folder[PATH_MAX];
    size_t length = (size_t)(base_name(path) - path);

    if (length == 0)
        return file_find(file, directory, ".");
    if (length >= sizeof(folder))
        return false;
    memcpy(folder, path, length);
    folder[length] = '\0';
    return file_find(file, directory, folder);
}

/* Names of programs that run others. What follows the name in digits and dots is a version. */
static bool is_means(const char *name)
{
    static const char *const names[] = {
        "sh",      "ash",    "bash",    "dash",   "rbash",     "ksh",  "mksh",    "zsh",   "csh",
        "tcsh",    "fish",   "busybox", "toybox", "coreutils", "env",  "nice",    "nohup", "setsid",
        "timeout", "xargs",  "stdbuf",  "chroot", "sudo",      "make", "gmake",   "ninja", "python",
        "pypy",    "perl",   "ruby",    "node",   "nodejs",    "lua",  "luajit",  "php",   "tclsh",
        "wish",    "expect", "guile",   "gawk",   "mawk",      "awk",  "Rscript", "R",     "julia"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);

        if (strncmp(name, names[i], length) == 0 && name[length + strspn(name + length, "0123456789.-")] == '\0')
            return true;
    }
    return false;
}

static char *const *copy_arguments(char *const *arguments)
{
    size_t count = 0;
    char **copy;

    while (arguments[count])
        count++;
    copy = calloc(count + 1, sizeof(*copy));
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(arguments[i]);
        if (!copy[i])
            return NULL;
    }
    return copy;
}

static void program_find(char *const *arguments)
{
    char path[PATH_MAX];
    const char *started_as = (const char *)getauxval(AT_EXECFN);
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length <= 0 || !file_find(&program.file, AT_FDCWD, "/proc/self/exe"))
        return;
    path[length] = '\0';
    directory_find(&program.directory, AT_FDCWD, path);
    program.name = strdup(base_name(path));
    program.script_name = "";
    if (started_as && file_find(&program.script, AT_FDCWD, started_as) && !file_is(&program.script, &program.file))
        program.script_name = strdup(base_name(started_as));
    else
        program.script.is_known = false;
    if (!program.name || !program.script_name)
        return;
    if (is_means(program.name)) {
        program.own_arguments = copy_arguments(arguments && arguments[0] ? arguments + 1 : arguments);
        if (!program.own_arguments)
            return;
    }
    program.is_known = true;
}

void successor_init(const char *const *given, size_t count, char *const *arguments)
{
    char **copy = calloc(count + 1, sizeof(*copy));

    for (size_t i = 0; copy && i < count; i++)
        copy[i] = strdup(given[i]);
    patterns = (const char *const *)copy;
    pattern_count = copy ? count : 0;
    program_find(arguments);
}

static bool has_own_arguments(char *const *arguments)
{
    char *const *own = program.own_arguments;

    if (!own)
        return true;
    if (arguments && *arguments)
        arguments++;
    for (; *own && arguments && *arguments; own++, arguments++)
        if (strcmp(*own, *arguments) != 0)
            return false;
    return !*own && (!arguments || !*arguments);
}

/* An upgrade puts another file in the place of the one that runs. */
static bool is_at_own_path(int directory, const char *path)
{
    struct file folder;

    return strcmp(base_name(path), program.name) == 0 && directory_find(&folder, directory, path) &&
           file_is(&folder, &program.directory);
}

static bool is_program_itself(int directory, const char *path, char *const *arguments)
{
    struct file file;

    if (!program.is_known || !file_find(&file, directory, path))
        return false;
    if (file_is(&file, &program.script))
        return true;
    return (file_is(&file, &program.file) || is_at_own_path(directory, path)) && has_own_arguments(arguments);
}

/* What an open file is called, as /proc says. */
static bool descriptor_path(int fd, char *ret_path, size_t bytes)
{
    char link[64];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = readlink(link, ret_path, bytes - 1);
    if (length <= 0)
        return false;
    ret_path[length] = '\0';
    return true;
}

/* Base names are compared, and the absolute path where the pattern has one. */
static __attribute__((noinline)) bool is_named(int directory, const char *path, char *const *arguments)
{
    char open_path[PATH_MAX];

    if (*path == '\0') {
        if (!descriptor_path(directory, open_path, sizeof(open_path)))
            return false;
        path = open_path;
    }
    for (size_t i = 0; i < pattern_count; i++)
        if (executables_match_path(patterns[i], path, arguments ? arguments[0] : NULL))
            return true;
    return false;
}

bool successor_is_wanted(int directory, const char *path, char *const *arguments)
{
    int saved_errno = errno;
    bool answer = path && ((pattern_count > 0 && is_named(directory, path, arguments)) ||
                           is_program_itself(directory, path, arguments));

    errno = saved_errno;
    return answer;
}

/* As execvp(3) looks for a name without a slash. */
static bool find_in_path(const char *name, char *ret_path, size_t bytes)
{
    const char *path = self_environment("PATH");

    for (path = path ? path : "/bin:/usr/bin"; *path; path += *path == ':') {
        size_t length = strcspn(path, ":");

        if ((size_t)snprintf(ret_path, bytes, "%.*s%s%s", (int)length, path, length > 0 ? "/" : "./", name) < bytes &&
            access(ret_path, X_OK) == 0)
            return true;
        path += length;
    }
    return false;
}

static __attribute__((noinline)) bool is_found_wanted(const char *name, char *const *arguments)
{
    char path[PATH_MAX];
    int saved_errno = errno;
    bool is_found = find_in_path(name, path, sizeof(path));

    errno = saved_errno;
    return successor_is_wanted(AT_FDCWD, is_found ? path : name, arguments);
}

bool successor_is_name_wanted(const char *name, char *const *arguments)
{
    if (!name || !*name || strchr(name, '/'))
        return successor_is_wanted(AT_FDCWD, name, arguments);
    if (pattern_count == 0 &&
        (!program.is_known || (strcmp(name, program.name) != 0 && strcmp(name, program.script_name) != 0)))
        return false;
    return is_found_wanted(name, arguments);
}
