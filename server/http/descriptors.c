/* A table of file descriptors of the thread's own. */
#include "server/http/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/common/filtered.h"

enum {
    HIGH_FD = 512
};

/* Takes the numbers up to 2: with the read end of a pipe that nobody can write to, which needs no file system. */
static void take_standard_numbers(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    dup3(ends[0], STDERR_FILENO, O_CLOEXEC);
    close(ends[1]);
    fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
}

/* True if the program's standard error goes to systemd's journal. */
static bool is_stderr_journal(void)
{
    static const char folder[] = "/run/systemd/journal/";
    struct sockaddr_un peer = {0};
    socklen_t length = sizeof(peer);

    return getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &length) == 0 && peer.sun_family == AF_UNIX &&
           strncmp(peer.sun_path, folder, sizeof(folder) - 1) == 0;
}

/* From 0 on: not one descriptor of the program is copied, so no pipe of its stays open here. Only the journal does not
 * mind, and there may be no other way to it later (duplicate_stderr). */
static void take_table(struct descriptors *descriptors)
{
    bool is_kept = descriptors->is_filtered && is_stderr_journal();
    unsigned first = is_kept ? STDERR_FILENO + 1 : 0;

    descriptors->is_separate = syscall(SYS_close_range, first, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0;
    if (!is_kept || !descriptors->is_separate)
        return;
    descriptors->kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    syscall(SYS_close_range, 0U, (unsigned)STDERR_FILENO, 0);
}

void descriptors_init(struct descriptors *descriptors, bool is_shared)
{
    *descriptors = (struct descriptors){.is_filtered = filtered_is(), .kept_stderr = -1};
    if (!is_shared)
        take_table(descriptors);
}

void descriptors_fill(struct descriptors *descriptors)
{
    if (descriptors->is_separate && !descriptors->is_filled)
        take_standard_numbers();
    descriptors->is_filled = true;
}

int descriptors_raise(const struct descriptors *descriptors, int fd)
{
    struct rlimit limit;
    int high = HIGH_FD;
    int raised;

    if (descriptors->is_separate || fd >= HIGH_FD)
        return fd;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 2 * HIGH_FD)
        high = (int)(limit.rlim_cur - limit.rlim_cur / 4);
    raised = fcntl(fd, F_DUPFD_CLOEXEC, high);
    if (raised < 0)
        return fd;
    close(fd);
    return raised;
}

/* The process's standard error as a new descriptor here, or -1. Containers often forbid the first way, which any file
 * allows, and services have filters (systemd's @system-service) that kill for it; the second one opens the file anew,
 * which a socket does not allow. */
static int duplicate_stderr(const struct descriptors *descriptors)
{
    int process = descriptors->is_filtered ? -1 : (int)syscall(SYS_pidfd_open, getpid(), 0);
    int fd = -1;

    if (descriptors->kept_stderr >= 0)
        return fcntl(descriptors->kept_stderr, F_DUPFD_CLOEXEC, 0);
    if (process >= 0) {
        fd = (int)syscall(SYS_pidfd_getfd, process, STDERR_FILENO, 0);
        close(process);
    }
    if (fd < 0)
        fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return fd;
}

void descriptors_borrow_stderr(const struct descriptors *descriptors)
{
    int fd = descriptors->is_separate ? duplicate_stderr(descriptors) : -1;

    if (fd < 0)
        return;
    dup3(fd, STDERR_FILENO, O_CLOEXEC);
    close(fd);
}

void descriptors_return_stderr(const struct descriptors *descriptors)
{
    if (descriptors->is_separate)
        dup3(STDIN_FILENO, STDERR_FILENO, O_CLOEXEC);
}
