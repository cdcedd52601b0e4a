#include "server/http/likeness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_NS     UINT64_C(10000000)
#define HASH_SEED   UINT64_C(0xCBF29CE484222325) /* FNV-1a */
#define HASH_FACTOR UINT64_C(0x100000001B3)

enum {
    FIRST_FD = 3, /* the standard ones are taken by descriptors.c */
    PATH_BYTES = 64,
};

static void hash(uint64_t *value, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++)
        *value = (*value ^ byte[i]) * HASH_FACTOR;
}

/* How many bytes; negative: none, or more than there is room for. */
static ssize_t read_file(struct likeness *likeness, const char *task, const char *name)
{
    char path[PATH_BYTES];
    ssize_t count = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", task, name);
    fd = openat(likeness->tasks_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        count = read(fd, likeness->text, LIKENESS_TEXT_BYTES);
        close(fd);
    }
    return count == LIKENESS_TEXT_BYTES ? -1 : count;
}

static bool is_right(const char *line)
{
    static const char *const names[] = {"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool hash_status(struct likeness *likeness, const char *task, uint64_t *value)
{
    ssize_t count = read_file(likeness, task, "status");
    char *line = likeness->text;

    if (count <= 0)
        return false;
    likeness->text[count] = '\0';
    for (char *end; (end = strchr(line, '\n')); line = end + 1)
        if (is_right(line))
            hash(value, line, (size_t)(end - line));
    return true;
}

static void hash_place(const struct likeness *likeness, const char *task, const char *name, uint64_t *value)
{
    char path[PATH_BYTES];
    struct stat status;

    snprintf(path, sizeof(path), "%s/%s", task, name);
    if (fstatat(likeness->tasks_fd, path, &status, 0) != 0)
        return;
    hash(value, &status.st_dev, sizeof(status.st_dev));
    hash(value, &status.st_ino, sizeof(status.st_ino));
}

/* False: the task is gone, or does not show. */
static bool describe(struct likeness *likeness, const char *task, uint64_t *ret_value)
{
    uint64_t value = HASH_SEED;
    ssize_t count;

    if (!hash_status(likeness, task, &value))
        return false;
    count = read_file(likeness, task, "attr/current");
    hash(&value, likeness->text, count > 0 ? (size_t)count : 0);
    hash_place(likeness, task, "root", &value);
    hash_place(likeness, task, "ns/mnt", &value);
    hash_place(likeness, task, "ns/user", &value);
    *ret_value = value;
    return true;
}

/* Numbers as this /proc has them, which may be of another namespace than ours. */
void likeness_begin(struct likeness *likeness, bool is_separate)
{
    char path[PATH_BYTES];
    ssize_t count = is_separate ? readlink("/proc/thread-self", path, sizeof(path) - 1) : -1;
    int fd = count > 0 ? open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    *likeness = (struct likeness){.tasks_fd = -1};
    if (fd < 0)
        return;
    path[count] = '\0';
    if (sscanf(path, "%15[0-9]/task/%15[0-9]", likeness->leader, likeness->own) == 2)
        likeness->tasks_fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close(fd);
}

/* Some thread but the first one, and but the calling one. */
static bool is_any_like(struct likeness *likeness, uint64_t own, bool *is_any)
{
    int fd = openat(likeness->tasks_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *tasks = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool is_like = false;
    uint64_t value;

    while (tasks && !is_like && (entry = readdir(tasks))) {
        char name[LIKENESS_NAME_BYTES];

        snprintf(name, sizeof(name), "%.15s", entry->d_name);
        if (name[0] == '.' || strcmp(name, likeness->own) == 0 || !describe(likeness, name, &value))
            continue;
        *is_any = true;
        is_like = value == own;
    }
    if (tasks)
        closedir(tasks);
    else if (fd >= 0)
        close(fd);
    return is_like;
}

bool likeness_holds_now(struct likeness *likeness)
{
    bool is_any = false;
    uint64_t own, value;

    if (likeness->tasks_fd < 0 || !describe(likeness, likeness->own, &own))
        return true;
    if (describe(likeness, likeness->leader, &value) && value == own)
        return true;
    return is_any_like(likeness, own, &is_any) || !is_any;
}

bool likeness_holds(struct likeness *likeness, uint64_t now_ns)
{
    if (now_ns - likeness->looked_ns < LOOK_NS)
        return true;
    likeness->looked_ns = now_ns;
    return likeness_holds_now(likeness);
}
