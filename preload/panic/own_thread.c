#include "preload/panic/own_thread.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/machine/log.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/line.h"
#include "preload/signals/sender.h"

/* Descriptors are the thread's own (server/http/descriptors.h): standard error is opened for the one line. */
static __attribute__((noreturn)) void park(void)
{
    static const char text[] = "error: callmeter's own thread failed, and is stopped: there is no endpoint any more";
    struct panic_line line;
    int fd;

    line.length = 0;
    panic_line_add(&line, "callmeter[");
    panic_line_add_number(&line, (uint64_t)cpu_own_pid(), 10);
    panic_line_add(&line, "]: ");
    panic_line_add(&line, text);
    panic_line_add(&line, "\n");
    own_mask_block_all(NULL);
    fd = (int)cpu_syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/fd/2",
                          O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0, 0, 0);
    if (fd >= 0)
        log_write(fd, line.text, line.length);
    for (;;)
        cpu_syscall(SYS_ppoll, 0, 0, 0, 0, 0, 0);
}

/* A signal for the process may pick our thread when all others block it: it waits for them. */
static void pass_on(const struct arrival *arrival)
{
    own_mask_block_all(NULL);
    *(uint64_t *)&arrival->context->uc_sigmask |= SIGNAL_BIT(arrival->signal);
    if (arrival->info->si_code != SI_TKILL) /* else for this thread alone */
        sender_send_again(arrival->signal, arrival->info);
}

void own_thread_take(const struct arrival *arrival)
{
    if (arrival->info->si_code > 0)
        park();
    pass_on(arrival);
}
