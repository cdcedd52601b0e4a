#include "preload/host/executables.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/machine/x86_64/cpu.h"

enum {
    TEXT_BYTES_MAX = 16 << 20, /* as of symbols/manifest/load.c */
};

static const char *own_argument; /* the program's first argument, its name; NULL if it has none */

/* A cursor over JSON text. A scanner, not a parser: what it accepts beyond JSON, the control module refuses. */
struct scan {
    const char *at;
    const char *end;
};

static void scan_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || (*scan->at >= '\t' && *scan->at <= '\r')))
        scan->at++;
}

static bool scan_char(struct scan *scan, char c)
{
    scan_space(scan);
    if (scan->at >= scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* A string; *ret_text is what stands between the quotes, escapes as written. */
static bool scan_string(struct scan *scan, const char **ret_text, size_t *ret_length)
{
    if (!scan_char(scan, '"'))
        return false;
    *ret_text = scan->at;
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' ? 2 : 1;
    if (scan->at >= scan->end)
        return false;
    *ret_length = (size_t)(scan->at - *ret_text);
    scan->at++;
    return true;
}

/* The characters that end a number or a word. A NUL is none of them, so a scan gets past it. */
static bool is_delimiter(char c)
{
    static const char delimiters[] = " \t\r\n,:{}[]\"";

    return memchr(delimiters, c, sizeof(delimiters) - 1) != NULL;
}

/* Any value. Brackets are counted, not matched: that is enough to find its end. */
static bool scan_value(struct scan *scan)
{
    int depth = 0;

    do {
        const char *text;
        size_t length;

        scan_space(scan);
        if (scan->at >= scan->end)
            return false;
        if (*scan->at == '"') {
            if (!scan_string(scan, &text, &length))
                return false;
        } else if (*scan->at == '{' || *scan->at == '[') {
            depth++;
            scan->at++;
        } else if (*scan->at == '}' || *scan->at == ']') {
            depth--;
            scan->at++;
        } else if (*scan->at == ',' || *scan->at == ':') {
            if (depth == 0)
                return false;
            scan->at++;
        } else {
            while (scan->at < scan->end && !is_delimiter(*scan->at))
                scan->at++;
        }
    } while (depth > 0);
    return true;
}

/* Places the scan behind the colon of a key of the outermost object. */
static bool scan_find_key(struct scan *scan, const char *key)
{
    if (!scan_char(scan, '{'))
        return false;
    do {
        const char *text;
        size_t length;

        if (!scan_string(scan, &text, &length) || !scan_char(scan, ':'))
            return false;
        if (length == strlen(key) && memcmp(text, key, length) == 0)
            return true;
        if (!scan_value(scan))
            return false;
    } while (scan_char(scan, ','));
    return false;
}

/* A path that is relative to the working directory, made absolute; links and `..` stay. By a system call, as below: a
 * function of libc that this object imports is one that no program may have a namesake of (self.h). */
static __attribute__((noinline)) bool matches_relative(const char *pattern, const char *path)
{
    char absolute[PATH_MAX];
    long bytes = cpu_syscall(SYS_getcwd, (long)absolute, sizeof(absolute), 0, 0, 0, 0);
    size_t length = bytes > 0 ? (size_t)bytes - 1 : 0;

    while (path[0] == '.' && path[1] == '/')
        path += 1 + strspn(path + 1, "/");
    if (length == 0 || length + 1 + strlen(path) >= sizeof(absolute))
        return false;
    if (absolute[length - 1] != '/')
        absolute[length++] = '/';
    memcpy(absolute + length, path, strlen(path) + 1);
    return fnmatch(pattern, absolute, 0) == 0;
}

static bool matches_name(const char *pattern, const char *path)
{
    const char *base = strrchr(path, '/');

    if (fnmatch(pattern, base ? base + 1 : path, 0) == 0)
        return true;
    if (path[0] == '/')
        return fnmatch(pattern, path, 0) == 0;
    return base && strchr(pattern, '/') && matches_relative(pattern, path);
}

bool executables_match_path(const char *pattern, const char *path, const char *argument)
{
    char target[PATH_MAX];

    return matches_name(pattern, path) || (argument && matches_name(pattern, argument)) ||
           (realpath(path, target) && matches_name(pattern, target));
}

void executables_init(const char *argument)
{
    own_argument = argument;
}

static bool matches_process(const char *pattern)
{
    char path[PATH_MAX];
    const char *started_by = (const char *)getauxval(AT_EXECFN);
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length > 0) {
        path[length] = '\0';
        if (matches_name(pattern, path))
            return true;
    }
    return (started_by && matches_name(pattern, started_by)) || (own_argument && matches_name(pattern, own_argument));
}

bool executables_match(const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (matches_process(list[i]))
            return true;
    return false;
}

/* -1: the text has no such key or is malformed; else whether one of the strings matches. */
static int match_text(const char *text, size_t length)
{
    struct scan scan = {text, text + length};
    char pattern[PATH_MAX];

    if (!scan_find_key(&scan, "executables") || !scan_char(&scan, '['))
        return -1;
    do {
        const char *item;
        size_t item_length;

        if (!scan_string(&scan, &item, &item_length) || item_length >= sizeof(pattern) ||
            memchr(item, '\\', item_length))
            return -1;
        memcpy(pattern, item, item_length);
        pattern[item_length] = '\0';
        if (matches_process(pattern))
            return 1;
    } while (scan_char(&scan, ','));
    return 0;
}

/* 1: the text names executables or says that what the program execs is instrumented too. */
static int follow_text(const char *text, size_t length)
{
    struct scan executables = {text, text + length};
    struct scan follow = {text, text + length};

    if (scan_find_key(&executables, "executables"))
        return 1;
    return scan_find_key(&follow, "follow_exec") && scan_char(&follow, 't');
}

/* As much as there is: the file may be written anew at this moment. It is not mapped, since what is cut off from a
 * mapped file ends the program that looks at it. */
static size_t read_all(int fd, char *text, size_t bytes)
{
    size_t length = 0;
    long got = 1;

    while (length < bytes && (got > 0 || got == -EINTR)) {
        got = cpu_syscall(SYS_read, fd, (long)(text + length), (long)(bytes - length), 0, 0, 0);
        if (got > 0)
            length += (size_t)got;
    }
    return length;
}

/* -1: there is no such file, or none that the control module would read. */
static int ask_file(const char *path, int (*ask)(const char *, size_t))
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat stat;
    char *text;
    int answer = -1;

    if (fd < 0)
        return -1;
    if (cpu_syscall(SYS_fstat, fd, (long)&stat, 0, 0, 0, 0) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0 &&
        stat.st_size <= TEXT_BYTES_MAX) {
        text = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (text != MAP_FAILED) {
            answer = ask(text, read_all(fd, text, (size_t)stat.st_size));
            munmap(text, (size_t)stat.st_size);
        }
    }
    close(fd);
    return answer;
}

/* The highest answer that one of the manifests gives. */
static int ask_manifests(const char *paths, int (*ask)(const char *, size_t))
{
    int answer = -1;

    while (*paths) {
        size_t length = strcspn(paths, ":");
        char path[PATH_MAX];

        if (length > 0 && length < sizeof(path)) {
            int one;

            memcpy(path, paths, length);
            path[length] = '\0';
            one = ask_file(path, ask);
            if (one > answer)
                answer = one;
        }
        paths += length + (paths[length] == ':');
    }
    return answer;
}

bool executables_match_manifests(const char *paths)
{
    return ask_manifests(paths, match_text) != 0;
}

bool executables_are_followed(const char *paths)
{
    return ask_manifests(paths, follow_text) > 0;
}
