#include "preload/control/state/statefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "preload/control/state/sparse_reader.h"

enum {
    SLOTS_MAX = 64,     /* programs at once */
    BAD_KEPT = 3,       /* files set aside, of each name */
    BAD_SEEN_MAX = 256, /* are looked at */
    OWNERS_SEEN_MAX = 1024,
    LOCK_TRIES = 400,
    LOCK_PAUSE_NS = 5 * 1000 * 1000,
    OLD_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
    NEW_FLAGS = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
    OTHERS_MAY_WRITE = S_IWGRP | S_IWOTH,
};

/* What a name in the directory is. */
enum find {
    FIND_NOTHING,
    FIND_FILE,
    FIND_BUSY,
    FIND_BAD,
    FIND_FAILED, /* it cannot be said what it is */
};

static void tell(struct statefile *file, enum segment_state_error error, const char *what, const char *why)
{
    char text[512];

    snprintf(text, sizeof(text), "%s%s%s: %s", file->path, *what ? "/" : "", what, why);
    file->tell(file->context, error, text);
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Directory and lock ----------------------------------------------------------------------------------------------- */

static int open_directory(struct statefile *file)
{
    struct stat status;
    int error;

    file->directory = open(file->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0 || fstat(file->directory, &status) != 0) {
        error = errno;
        tell(file, STATE_ERROR_IO, "", error == ENOENT ? "there is no such directory: create it" : strerror(error));
        return -error;
    }
    if ((status.st_uid != geteuid() && status.st_uid != 0) || (status.st_mode & OTHERS_MAY_WRITE)) {
        tell(file, STATE_ERROR_UNSAFE, "",
             "the directory must belong to the program's user or to root, and nobody else may write in it");
        return -EPERM;
    }
    return 0;
}

static bool is_safe(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && !(status->st_mode & OTHERS_MAY_WRITE) &&
           status->st_nlink == 1;
}

/* Held for the some milliseconds of a start. A file system without locks does without: two starts at the same moment
 * may both go on from the last run then. */
static int take_lock(struct statefile *file, const char *stem)
{
    const struct timespec pause = {0, LOCK_PAUSE_NS};
    char name[STATEFILE_NAME_BYTES];
    struct stat status;
    int tries = 0;

    snprintf(name, sizeof(name), "%s.lock", stem);
    file->lock = openat(file->directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (file->lock < 0) {
        int error = errno;

        tell(file, error == ELOOP || error == ENXIO ? STATE_ERROR_UNSAFE : STATE_ERROR_IO, name, strerror(error));
        return -error;
    }
    if (fstat(file->lock, &status) != 0 || !is_safe(&status)) {
        tell(file, STATE_ERROR_UNSAFE, name, "it must be a regular file of the program's user");
        return -EPERM;
    }
    if (!(status.st_mode & S_IRUSR))
        fchmod(file->lock, 0600); /* whatever the umask, or the next start could not open it */
    while (flock(file->lock, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (++tries == LOCK_TRIES) {
            tell(file, STATE_ERROR_BUSY, name, "another program has been starting for too long");
            return -EBUSY;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Is it in use? ---------------------------------------------------------------------------------------------------- */

/* A lease is refused while anybody has the file open for writing, and a mapping keeps it open, whichever descriptors
 * the program has closed since (fcntl(2), "Leases"). Who opens it meanwhile makes the kernel send us a signal: one that
 * does nothing. Not on all file systems. */
static bool is_open_for_writing(int fd)
{
    fcntl(fd, F_SETSIG, SIGURG);
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
}

/* A line of /proc/PID/maps (proc(5)): range, rights, offset, device, inode, path. The device is not looked at, since
 * some file systems show another one there. */
static bool is_line_of(const char *line, const char *name, ino_t inode)
{
    uintmax_t number;
    const char *slash = strrchr(line, '/');

    return sscanf(line, "%*s %*s %*s %*s %ju", &number) == 1 && number == (uintmax_t)inode && slash &&
           strncmp(slash + 1, name, strlen(name)) == 0;
}

/* True also if it is not to be found out. */
static bool does_process_map(uint32_t pid, const char *name, ino_t inode)
{
    char path[32];
    char *line = NULL;
    size_t room = 0;
    bool does = false;
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        return errno == EACCES || errno == EPERM;
    while (!does && getline(&line, &room, maps) > 0)
        does = is_line_of(line, name, inode);
    free(line);
    fclose(maps);
    return does;
}

/* Those that the file itself names: the processes that came last, and the owners of blocks. It may lie: the worst is
 * that a file counts as in use. */
static uint32_t find_user(int fd, const char *name, ino_t inode)
{
    struct segment_header header;
    uint32_t before = 0;

    if (sparse_reader_copy(fd, &header, sizeof(header), 0) != 0 || header.magic != SEGMENT_MAGIC)
        return 0;
    for (int i = 0; i < SEGMENT_USERS; i++)
        if (header.users[i] && does_process_map(header.users[i], name, inode))
            return header.users[i];
    for (uint32_t i = 0; i < header.block_count && i < OWNERS_SEEN_MAX; i++) {
        uint64_t owner;
        uint32_t pid;

        if (header.owners > INT64_MAX - 65536 ||
            sparse_reader_copy(fd, &owner, sizeof(owner), header.owners + i * sizeof(owner)) != 0)
            break;
        pid = (uint32_t)(owner >> 32);
        if (pid && pid != before && does_process_map(pid, name, inode))
            return pid;
        before = pid;
    }
    return 0;
}

static bool is_in_use(struct statefile *file, const char *name, ino_t inode)
{
    char text[96] = "another program is using it";
    bool is_open = is_open_for_writing(file->old);
    uint32_t user = find_user(file->old, name, inode);

    if (user)
        snprintf(text, sizeof(text), "the program with process id %" PRIu32 " is using it", user);
    if (is_open || user)
        tell(file, STATE_ERROR_BUSY, name, text);
    return is_open || user;
}

/* Setting aside ---------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of files of `name` that were set aside, the oldest first (their names end in times). */
static size_t list_bad(int directory, const char *name, char **names)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    size_t length = strlen(name);
    size_t count = 0;

    if (!entries) {
        shut(&fd);
        return 0;
    }
    while (count < BAD_SEEN_MAX && (entry = readdir(entries)))
        if (strncmp(entry->d_name, name, length) == 0 && strncmp(entry->d_name + length, ".bad-", 5) == 0 &&
            (names[count] = strdup(entry->d_name)))
            count++;
    closedir(entries);
    qsort(names, count, sizeof(*names), compare_names);
    return count;
}

static void remove_oldest_bad(int directory, const char *name)
{
    char *names[BAD_SEEN_MAX];
    size_t count = list_bad(directory, name, names);

    for (size_t i = 0; i < count; i++) {
        if (i + BAD_KEPT < count)
            unlinkat(directory, names[i], 0); /* a directory stays */
        free(names[i]);
    }
}

static int set_aside(struct statefile *file, const char *name)
{
    char moment[32] = "";
    char to[STATEFILE_NAME_BYTES + 64];
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts))
        strftime(moment, sizeof(moment), "%Y%m%dT%H%M%S", &parts);
    snprintf(to, sizeof(to), "%s.bad-%s.%09ldZ", name, moment, now.tv_nsec);
    if (renameat2(file->directory, name, file->directory, to, RENAME_NOREPLACE) != 0)
        return -errno;
    remove_oldest_bad(file->directory, name);
    return 0;
}

/* Which file ------------------------------------------------------------------------------------------------------- */

static int refuse(struct statefile *file, const char *name, enum segment_state_error error, const char *why)
{
    char text[256];
    int result = set_aside(file, name);

    snprintf(text, sizeof(text), "%s; %s", why,
             result == 0 ? "it is set aside, the counts start from 0" : "it cannot be moved out of the way either");
    tell(file, error, name, text);
    return result;
}

/* Why no descriptor could be had: for want of descriptors or memory a good file is not set aside. */
static enum find judge_open(int error)
{
    switch (error) {
    case ENOENT:
        return FIND_NOTHING;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EIO:
        return FIND_FAILED;
    default:
        return FIND_BAD;
    }
}

static enum find look_at(struct statefile *file, const char *name)
{
    struct stat status;

    do
        file->old = openat(file->directory, name, OLD_FLAGS);
    while (file->old < 0 && errno == EINTR);
    if (file->old < 0)
        return judge_open(errno);
    if (fstat(file->old, &status) != 0 || !is_safe(&status)) {
        shut(&file->old);
        return FIND_BAD;
    }
    if (is_in_use(file, name, status.st_ino)) {
        shut(&file->old);
        return FIND_BUSY;
    }
    return FIND_FILE;
}

/* The first name that nobody uses. */
static int choose(struct statefile *file, const char *stem)
{
    for (int slot = 1; slot <= SLOTS_MAX; slot++) {
        enum find found;

        if (slot == 1)
            snprintf(file->name, sizeof(file->name), "%s.state", stem);
        else
            snprintf(file->name, sizeof(file->name), "%s.%d.state", stem, slot);
        found = look_at(file, file->name);
        if (found == FIND_BAD)
            return refuse(file, file->name, STATE_ERROR_UNSAFE,
                          "not a regular file that belongs to the program's user alone");
        if (found == FIND_FAILED) {
            int error = errno;

            tell(file, STATE_ERROR_IO, file->name, strerror(error));
            return -error;
        }
        if (found != FIND_BUSY)
            return 0;
    }
    return -EBUSY;
}

static void fresh_name(const struct statefile *file, char *name, size_t bytes)
{
    snprintf(name, bytes, "%s.new", file->name);
}

static int make_fresh(struct statefile *file)
{
    char name[STATEFILE_NAME_BYTES + 8];
    int error;

    fresh_name(file, name, sizeof(name));
    unlinkat(file->directory, name, 0); /* of a start that was killed: nobody else is here, by the lock */
    file->fresh = openat(file->directory, name, NEW_FLAGS, 0600);
    if (file->fresh >= 0 && fchmod(file->fresh, 0600) == 0) /* whatever the umask */
        return 0;
    error = errno;
    tell(file, STATE_ERROR_IO, name, strerror(error));
    return -error;
}

/* Interface -------------------------------------------------------------------------------------------------------- */

int statefile_open(struct statefile *file, const char *path, const char *stem, statefile_tell given_tell, void *context)
{
    int result;

    *file = (struct statefile){
        .fresh = -1,
        .old = -1,
        .path = path,
        .directory = -1,
        .lock = -1,
        .tell = given_tell,
        .context = context,
    };
    result = open_directory(file);
    if (result == 0)
        result = take_lock(file, stem);
    if (result == 0)
        result = choose(file, stem);
    if (result == 0)
        result = make_fresh(file);
    return result;
}

void statefile_set_aside(struct statefile *file, enum segment_state_error error, const char *why)
{
    shut(&file->old);
    refuse(file, file->name, error, why);
}

int statefile_publish(struct statefile *file)
{
    char name[STATEFILE_NAME_BYTES + 8];
    int error;

    fresh_name(file, name, sizeof(name));
    if (renameat(file->directory, name, file->directory, file->name) == 0) {
        shut(&file->fresh);
        return 0;
    }
    error = errno;
    tell(file, STATE_ERROR_IO, file->name, strerror(error));
    return -error;
}

void statefile_close(struct statefile *file)
{
    char name[STATEFILE_NAME_BYTES + 8];

    fresh_name(file, name, sizeof(name));
    if (file->fresh >= 0)
        unlinkat(file->directory, name, 0);
    shut(&file->fresh);
    shut(&file->old);
    shut(&file->lock);
    shut(&file->directory);
}
