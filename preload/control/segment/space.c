#include "preload/control/segment/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "preload/machine/own_mask.h"

/* Beyond RLIMIT_FSIZE the kernel raises SIGXFSZ, which kills. */
static bool is_within_limit(uint64_t bytes)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

/* A file system in memory gives all of it back when a signal comes, and starts anew: under a timer that would never
 * come to an end. */
static int allocate(int fd, uint64_t bytes)
{
    uint64_t mask;
    int error;

    own_mask_block(&mask);
    do
        error = posix_fallocate(fd, 0, (off_t)bytes);
    while (error == EINTR);
    own_mask_restore(&mask);
    return -error;
}

int space_reserve(int fd, uint64_t bytes, uint64_t reserved_bytes)
{
    if (!is_within_limit(bytes))
        return -EFBIG;
    if (ftruncate(fd, (off_t)bytes) != 0)
        return -errno;
    return allocate(fd, reserved_bytes);
}
