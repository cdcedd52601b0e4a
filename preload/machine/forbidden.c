#include "preload/machine/forbidden.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

uint32_t forbidden_by[FORBIDDEN_CALLS];
static atomic_bool is_confined;

bool forbidden_is_confined(void)
{
    return atomic_load(&is_confined);
}

void forbidden_set_confined(void)
{
    atomic_store(&is_confined, true);
}

static bool is_any_forbidden(const uint16_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (forbidden_is(numbers[i]))
            return true;
    return false;
}

/* Whatever panic.c and signals.c may ask of the kernel before the program goes on or ends. */
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

bool forbidden_lets_attach(void)
{
    static const uint16_t numbers[] = {
        SYS_rt_sigprocmask, SYS_sigaltstack, SYS_mmap,         SYS_mprotect,        SYS_munmap,    SYS_munlock,
        SYS_madvise,        SYS_getpid,      SYS_gettid,       SYS_getppid,         SYS_kill,      SYS_tgkill,
        SYS_futex,          SYS_newfstatat,  SYS_rt_sigaction, SYS_get_robust_list, SYS_prlimit64, SYS_sched_yield};

    return !is_any_forbidden(numbers, sizeof(numbers) / sizeof(numbers[0]));
}

bool forbidden_lets_report(void)
{
    static const uint16_t numbers[] = {
        SYS_openat, SYS_read,         SYS_close,   SYS_fstat,     SYS_write,         SYS_pread64,      SYS_newfstatat,
        SYS_ppoll,  SYS_timer_create, SYS_lseek,   SYS_prctl,     SYS_timer_settime, SYS_timer_delete, SYS_getdents64,
        SYS_linkat, SYS_unlinkat,     SYS_mkdirat, SYS_renameat2, SYS_fchmod,        SYS_fchmodat,     SYS_geteuid};

    return !is_any_forbidden(numbers, sizeof(numbers) / sizeof(numbers[0]));
}
