#include "preload/machine/quiet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

enum {
    WAIT_MS = 100
};

/* What a write has raised goes to the thread that wrote, and waits there while it is blocked. */
static void take_back(int signal)
{
    static const struct timespec at_once = {0};
    uint64_t wanted = SIGNAL_BIT(signal);

    cpu_syscall(SYS_rt_sigtimedwait, (long)&wanted, 0, (long)&at_once, sizeof(wanted), 0, 0);
}

/* The signal that comes with an error; 0: none. */
static int signal_of(long result)
{
    return result == -EPIPE ? SIGPIPE : result == -EFBIG ? SIGXFSZ : 0;
}

long quiet_write(int fd, const void *bytes, size_t count)
{
    uint64_t blocked = SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGXFSZ) | SIGNAL_BIT(SIGTTOU);
    uint64_t mask;
    uint64_t pending = 0;
    long result;
    int raised;

    own_mask_change(SIG_BLOCK, &blocked, &mask);
    cpu_syscall(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
    result = cpu_syscall(SYS_write, fd, (long)bytes, (long)count, 0, 0, 0);
    raised = signal_of(result);
    if (raised && !(pending & SIGNAL_BIT(raised)))
        take_back(raised);
    own_mask_restore(&mask);
    return result;
}

void quiet_put(int fd, const void *bytes, size_t count)
{
    struct pollfd poll = {.fd = fd, .events = POLLOUT};
    struct timespec limit = {.tv_nsec = WAIT_MS * 1000000L};

    if (cpu_syscall(SYS_ppoll, (long)&poll, 1, (long)&limit, 0, 0, 0) == 1 && poll.revents == POLLOUT)
        quiet_write(fd, bytes, count);
}
