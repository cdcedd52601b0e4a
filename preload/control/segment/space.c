#include "preload/control/segment/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beyond RLIMIT_FSIZE the kernel raises SIGXFSZ, which kills. */
static bool is_within_limit(uint64_t bytes)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

int space_reserve(int fd, uint64_t bytes, uint64_t reserved_bytes)
{
    if (!is_within_limit(bytes))
        return -EFBIG;
    if (ftruncate(fd, (off_t)bytes) != 0)
        return -errno;
    return -posix_fallocate(fd, 0, (off_t)reserved_bytes);
}
