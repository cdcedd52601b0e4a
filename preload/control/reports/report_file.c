#include "preload/control/reports/report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/quiet.h"
#include "preload/machine/x86_64/cpu.h"

#define PREFIX "panic-"
#define SUFFIX ".json"

enum {
    ENTRIES_BYTES = 32768,
    REMOVALS_MAX = 1024, /* of one prune */
};

/* What getdents64 writes (getdents(2)). */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

static bool is_late(uint64_t deadline_ns)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec > deadline_ns;
}

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* A pattern in which '0' stands for any digit, and '#' for one or more. */
static bool is_like(const char *pattern, const char *text)
{
    for (; *pattern; pattern++) {
        if (*pattern == '#') {
            if (skip_digits(text) == text)
                return false;
            text = skip_digits(text);
        } else if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern) {
            return false;
        } else {
            text++;
        }
    }
    return *text == '\0';
}

bool report_file_is_name(const char *name)
{
    return is_like(PREFIX "00000000T000000.000Z-#-#" SUFFIX, name);
}

/* The folder's descriptor, or -errno. */
static int folder_open(const char *folder)
{
    long fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, 0, 0);
    uid_t user = (uid_t)cpu_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
    struct stat status;

    if (fd < 0)
        return (int)fd;
    if (cpu_syscall(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) == 0 && (status.st_uid == user || status.st_uid == 0) &&
        (!(status.st_mode & (S_IWGRP | S_IWOTH)) || (status.st_mode & S_ISVTX)))
        return (int)fd;
    cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return -EPERM;
}

static void file_close(int fd)
{
    cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}

int report_file_prepare(const char *folder)
{
    int fd;

    if (cpu_syscall(SYS_mkdirat, AT_FDCWD, (long)folder, 0700, 0, 0, 0) == 0)
        cpu_syscall(SYS_fchmodat, AT_FDCWD, (long)folder, 0700, 0, 0, 0); /* whatever the umask */
    fd = folder_open(folder);
    if (fd < 0)
        return fd;
    file_close(fd);
    return 0;
}

static int write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        long written = quiet_write(fd, data, bytes);

        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written == 0 ? -EIO : (int)written;
        data += written;
        bytes -= (size_t)written;
    }
    return 0;
}

/* Gives the finished file its name, unless there is one of that name. Some file systems know only the older way. */
static int file_publish(int folder, const char *hidden, const char *name)
{
    long result = cpu_syscall(SYS_renameat2, folder, (long)hidden, folder, (long)name, RENAME_NOREPLACE, 0);

    if (result != -EINVAL && result != -ENOSYS)
        return (int)result;
    result = cpu_syscall(SYS_linkat, folder, (long)hidden, folder, (long)name, 0, 0);
    if (result == 0)
        cpu_syscall(SYS_unlinkat, folder, (long)hidden, 0, 0, 0, 0);
    return (int)result;
}

static int file_write(int folder, const char *hidden, const char *name, const void *data, size_t bytes)
{
    long fd =
        cpu_syscall(SYS_openat, folder, (long)hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, 0, 0);
    int result;

    if (fd < 0)
        return (int)fd;
    cpu_syscall(SYS_fchmod, fd, 0600, 0, 0, 0, 0); /* whatever the umask */
    result = write_all((int)fd, data, bytes);
    file_close((int)fd);
    if (result == 0)
        result = file_publish(folder, hidden, name);
    if (result != 0)
        cpu_syscall(SYS_unlinkat, folder, (long)hidden, 0, 0, 0, 0);
    return result;
}

int report_file_write(const char *folder, const char *name, const void *data, size_t bytes)
{
    char hidden[REPORT_NAME_BYTES + 2] = ".";
    int fd = folder_open(folder);
    int result;

    if (fd < 0)
        return fd;
    strncpy(hidden + 1, name, sizeof(hidden) - 2);
    result = file_write(fd, hidden, name, data, bytes);
    file_close(fd);
    return result;
}

static bool is_own(int folder, const char *name)
{
    struct stat status;

    return cpu_syscall(SYS_newfstatat, folder, (long)name, (long)&status, AT_SYMLINK_NOFOLLOW, 0, 0) == 0 &&
           S_ISREG(status.st_mode) && status.st_uid == (uid_t)cpu_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* Counts the reports, and finds the oldest one that is not `keep`. */
static unsigned count(int folder, const char *keep, char oldest[REPORT_NAME_BYTES], uint64_t deadline_ns)
{
    static char entries[ENTRIES_BYTES] __attribute__((aligned(8)));
    unsigned found = 0;
    long bytes;

    oldest[0] = '\0';
    cpu_syscall(SYS_lseek, folder, 0, SEEK_SET, 0, 0, 0);
    while (!is_late(deadline_ns) &&
           (bytes = cpu_syscall(SYS_getdents64, folder, (long)entries, sizeof(entries), 0, 0, 0)) > 0) {
        const struct entry *entry;

        for (long at = 0; at < bytes; at += entry->bytes) {
            entry = (const struct entry *)(const void *)(entries + at);
            if (!report_file_is_name(entry->name) || strlen(entry->name) >= REPORT_NAME_BYTES ||
                !is_own(folder, entry->name))
                continue;
            found++;
            if (strcmp(entry->name, keep) != 0 && (!oldest[0] || strcmp(entry->name, oldest) < 0))
                strcpy(oldest, entry->name);
        }
    }
    return found;
}

void report_file_prune(const char *folder, const char *keep, unsigned max, uint64_t deadline_ns)
{
    char oldest[REPORT_NAME_BYTES];
    int fd = folder_open(folder);

    if (fd < 0)
        return;
    for (unsigned i = 0; i < REMOVALS_MAX && count(fd, keep, oldest, deadline_ns) > max && oldest[0]; i++)
        cpu_syscall(SYS_unlinkat, fd, (long)oldest, 0, 0, 0, 0);
    file_close(fd);
}
