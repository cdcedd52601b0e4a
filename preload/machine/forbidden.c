#include "preload/machine/forbidden.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "preload/machine/filter.h"

uint32_t forbidden_by[FORBIDDEN_CALLS];
static atomic_bool is_serving_over;

bool forbidden_lets_serve(void)
{
    return !atomic_load(&is_serving_over);
}

void forbidden_end_serving(void)
{
    atomic_store(&is_serving_over, true);
}

static bool is_any_forbidden(const uint16_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (forbidden_is(numbers[i]))
            return true;
    return false;
}

/* The lists. Above each, the sources whose system calls it stands for, so far as they run where it is asked; and those
 * of their system calls that need not be in it, with the reason. tests/lib/forbidden.py reads both.
 *
 * In no list
 * sources: preload/panic/own_thread.c preload/panic/state_repair.c preload/calls/read.c preload/calls/tuples.c
 *          preload/calls/x86_64/bind.c preload/records/own_work.c
 * The first runs in callmeter's own thread, which no filter comes to; a state file that was cut short ends the
 * program, if a filter lets nobody repair it; read.c and own_work.c ask for themselves; tuples.c asks the kernel only
 * while another thread has its lock; bind.c at the start. */

/* From a signal that comes until the program goes on or ends.
 * sources: preload/panic/abort.c preload/panic/delivery.c preload/panic/panic.c preload/panic/recover.c
 *          preload/panic/wait.c preload/signals/actions.c preload/signals/cramped.c preload/signals/masks.c
 *          preload/signals/notes.c preload/signals/relocated.c preload/signals/sender.c preload/threads/altstack.c
 *          preload/interpose/raise.c preload/machine/kernel_action.h preload/machine/own_lock.c
 *          preload/machine/own_mask.h preload/machine/x86_64/cpu.h preload/machine/x86_64/frame.c
 * but for: SYS_timer_create SYS_timer_settime SYS_timer_delete (forbidden_lets_report is asked first)
 *          SYS_madvise SYS_prctl SYS_prlimit64 (at the start)
 *          SYS_kill (sender.c asks for itself) */
bool forbidden_would_let_handle(const uint64_t *forbidden)
{
    static const uint16_t numbers[] = {SYS_rt_sigprocmask,  SYS_rt_sigaction,  SYS_rt_tgsigqueueinfo,
                                       SYS_rt_sigqueueinfo, SYS_rt_sigpending, SYS_rt_sigtimedwait,
                                       SYS_sigaltstack,     SYS_sched_yield,   SYS_tgkill,
                                       SYS_getpid,          SYS_gettid,        SYS_getuid,
                                       SYS_clock_gettime,   SYS_nanosleep,     SYS_mmap,
                                       SYS_mprotect,        SYS_munmap,        SYS_munlock};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (forbidden[numbers[i] / 64] >> numbers[i] % 64 & 1)
            return false;
    return true;
}

/* From a thread's first tracked call until it has its lane.
 * sources: preload/threads/altstack.c preload/threads/attach.c preload/threads/blocks.c preload/threads/halfway.c
 *          preload/threads/process_image.c preload/threads/reclaim.c preload/records/chain.c preload/records/record.c
 *          preload/records/lane.c preload/machine/kernel_action.h preload/machine/own_mask.h
 *          preload/machine/x86_64/cpu.h
 * but for: SYS_kcmp (attach.c asks for itself)
 *          SYS_prctl (at the start) */
bool forbidden_lets_attach(void)
{
    static const uint16_t numbers[] = {
        SYS_rt_sigprocmask, SYS_sigaltstack, SYS_mmap,         SYS_mprotect,        SYS_munmap,    SYS_munlock,
        SYS_madvise,        SYS_getpid,      SYS_gettid,       SYS_getppid,         SYS_kill,      SYS_tgkill,
        SYS_futex,          SYS_newfstatat,  SYS_rt_sigaction, SYS_get_robust_list, SYS_prlimit64, SYS_sched_yield};

    return !is_any_forbidden(numbers, sizeof(numbers) / sizeof(numbers[0]));
}

/* While a lock of the segment is waited for.
 * sources: preload/threads/shared_lock.c
 * but for: SYS_nanosleep (shared_lock.c asks for itself) */
bool forbidden_lets_lock(void)
{
    static const uint16_t numbers[] = {SYS_rt_sigprocmask, SYS_getpid, SYS_gettid,      SYS_getppid,
                                       SYS_tgkill,         SYS_kill,   SYS_sched_yield, SYS_mprotect};

    return !is_any_forbidden(numbers, sizeof(numbers) / sizeof(numbers[0]));
}

/* While a panic is reported, which begins when it can be handled.
 * sources: preload/panic/line.c preload/panic/wait.c preload/machine/log.c preload/machine/quiet.c
 *          preload/control/reports/backtrace.c preload/control/reports/elf_names.c preload/control/reports/mapped.c
 *          preload/control/reports/panic_module.c preload/control/reports/report.c
 *          preload/control/reports/report_file.c preload/control/reports/report_text.c
 *          preload/control/reports/signal_names.c preload/control/memory/safe_read.c server/common/filtered.h
 * but for: forbidden_would_let_handle */
bool forbidden_lets_report(void)
{
    static const uint16_t numbers[] = {
        SYS_openat, SYS_read,         SYS_close,   SYS_fstat,     SYS_write,         SYS_pread64,      SYS_newfstatat,
        SYS_ppoll,  SYS_timer_create, SYS_lseek,   SYS_prctl,     SYS_timer_settime, SYS_timer_delete, SYS_getdents64,
        SYS_linkat, SYS_unlinkat,     SYS_mkdirat, SYS_renameat2, SYS_fchmod,        SYS_fchmodat,     SYS_geteuid};

    return !is_any_forbidden(numbers, sizeof(numbers) / sizeof(numbers[0]));
}

/* From the making of a thread of ours to its end, in it and in who makes and ends it. What may fail is survived, but
 * for those that it waits and is found by.
 *
 * sources: server/http/descriptors.c server/http/election.c server/http/endpoint.c server/http/http.c
 *          server/http/parking.h server/http/repeats.c server/http/serving.c server/common/filtered.h
 *          preload/processes/companion.c preload/records/own_work.c preload/threads/reclaim.c
 * but for: SYS_pidfd_open SYS_pidfd_getfd (not tried under a filter)
 *          SYS_rt_sigqueueinfo (gives back a signal that was the program's) */
bool forbidden_would_let_serve(forbidden_question ways_of, void *context)
{
    static const uint16_t needed[] = {SYS_rt_sigprocmask, SYS_futex,  SYS_ppoll, SYS_tgkill,
                                      SYS_getpid,         SYS_gettid, SYS_exit};
    static const uint16_t numbers[] = {
        /* libc's, to make a thread, to end one, and for memory */
        SYS_clone3, SYS_clone, SYS_set_robust_list, SYS_rseq, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise,
        SYS_mremap, SYS_brk, SYS_sched_getaffinity, SYS_getrandom, SYS_rt_sigaction, SYS_sigaltstack, SYS_prlimit64,
        /* to wait and to be woken */
        SYS_futex_waitv, SYS_nanosleep, SYS_clock_nanosleep, SYS_sched_yield, SYS_signalfd4, SYS_rt_sigtimedwait,
        SYS_clock_gettime, SYS_getppid, SYS_kill, SYS_prctl, SYS_get_robust_list,
        /* to serve */
        SYS_close_range, SYS_pipe2, SYS_dup3, SYS_fcntl, SYS_close, SYS_socket, SYS_setsockopt, SYS_getsockopt,
        SYS_bind, SYS_listen, SYS_getsockname, SYS_getpeername, SYS_connect, SYS_accept4, SYS_recvfrom, SYS_sendto,
        SYS_sendmsg, SYS_writev, SYS_shutdown, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_ioctl,
        /* what is shown, and the log */
        SYS_openat, SYS_open, SYS_read, SYS_pread64, SYS_readlink, SYS_readlinkat, SYS_newfstatat, SYS_fstat, SYS_lseek,
        SYS_getdents64, SYS_write, SYS_ppoll, SYS_rt_sigpending, SYS_rename, SYS_unlink, SYS_getrusage, SYS_sysinfo,
        SYS_clock_getres};
    unsigned ways;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (ways_of(needed[i], context) != FILTER_ALLOWS)
            return false;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ways = ways_of(numbers[i], context);
        if (ways & FILTER_KILLS)
            return false;
    }
    return true;
}
