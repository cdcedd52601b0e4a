#include "preload/host/own_allocator.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/machine/kernel_action.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

enum {
    CPU_LIMIT_US = 200000, /* of processor time, for an allocator that loops */
    NAPS_MAX = 3000,       /* for one that waits */
    NAP_NS = 1000000,
    BIG_BYTES = 1 << 20, /* as much as our modules may ask for at once */
    SMALL_BYTES = 1000,
    SMALL_COUNT = 1000,
    STACK_BYTES = 1 << 14, /* a frame with all vector registers, and more */
};

static bool begins_with(const char *text, const char *begin)
{
    while (*begin && *text == *begin) {
        text++;
        begin++;
    }
    return !*begin;
}

static bool is_known(const char *path)
{
    static const char *const names[] = {"libc.so",     "libc-2.",     "ld-linux",    "libc_malloc_debug",
                                        "libjemalloc", "libtcmalloc", "libmimalloc", "libtbbmalloc",
                                        "libgc.so",    "libheaptrack"};
    const char *base = path;

    for (const char *at = path; *at; at++)
        if (*at == '/')
            base = at + 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (begins_with(base, names[i]))
            return true;
    return false;
}

/* A program at a fixed address has an entry of its PLT in the place of a library's function whose address it takes: an
 * undefined symbol with a value. */
static bool is_known_provider(const char *name)
{
    const Elf64_Sym *symbol = NULL;
    const void *address = dlsym(RTLD_DEFAULT, name);
    Dl_info info;

    if (!address || !dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT))
        return false;
    if (symbol && symbol->st_shndx == SHN_UNDEF) {
        address = dlsym(RTLD_NEXT, name);
        if (!address || !dladdr(address, &info))
            return false;
    }
    return info.dli_fname && is_known(info.dli_fname);
}

bool own_allocator_is_known(void)
{
    return is_known_provider("malloc") && is_known_provider("calloc") && is_known_provider("realloc") &&
           is_known_provider("free");
}

/* In the child ----------------------------------------------------------------------------------------------------- */

static void end(bool is_served)
{
    for (;;)
        cpu_syscall(SYS_exit_group, is_served ? 0 : 1, 0, 0, 0, 0, 0);
}

static void on_signal(int signal)
{
    (void)signal;
    end(false);
}

/* Whatever ends it does so in silence: no core, no line in the kernel's log, no handler of the program's, no word of
 * the allocator on the program's standard error. */
static void be_silent(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGPROF, SIGPIPE};
    static char stack[STACK_BYTES] __attribute__((aligned(16)));
    const struct kernel_action action = {.handler = (uintptr_t)on_signal, .flags = SA_ONSTACK | KERNEL_RESTORER_FLAG};
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    const struct itimerval limit = {.it_value.tv_usec = CPU_LIMIT_US};
    const uint64_t open_mask = 0;
    long nothing = cpu_syscall(SYS_open, (long)"/dev/null", O_RDWR, 0, 0, 0, 0);

    cpu_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (nothing < 0)
            cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
        else
            cpu_syscall(SYS_dup2, nothing, fd, 0, 0, 0, 0);
    cpu_syscall(SYS_sigaltstack, (long)&alternate, 0, 0, 0, 0, 0);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        kernel_action_change(signals[i], &action, NULL);
    cpu_syscall(SYS_setitimer, ITIMER_PROF, (long)&limit, 0, 0, 0, 0);
    cpu_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&open_mask, 0, SIGNAL_MASK_BYTES, 0, 0);
}

static bool is_filled(const volatile char *memory, size_t bytes, char value)
{
    for (size_t i = 0; i < bytes; i++)
        if (memory[i] != value)
            return false;
    return true;
}

/* Each kind of call once, and as much in all as our modules may need. */
static bool is_served(void)
{
    static char *small[SMALL_COUNT];
    volatile char *zeroed = calloc(SMALL_BYTES, 2);
    char *grown = malloc(SMALL_BYTES);
    volatile char *big = malloc(BIG_BYTES);

    if (!zeroed || !grown || !big || !is_filled(zeroed, 2 * SMALL_BYTES, 0))
        return false;
    for (size_t i = 0; i < SMALL_BYTES; i++)
        ((volatile char *)grown)[i] = 'x';
    grown = realloc(grown, 4 * SMALL_BYTES);
    if (!grown || !is_filled(grown, SMALL_BYTES, 'x'))
        return false;
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        small[i] = malloc(SMALL_BYTES);
        if (!small[i])
            return false;
        *(volatile char *)small[i] = 'y';
    }
    big[0] = big[BIG_BYTES - 1] = 'z';
    for (size_t i = 0; i < SMALL_COUNT; i++)
        free(small[i]);
    free(grown);
    free((void *)big);
    free((void *)zeroed);
    return true;
}

/* In the parent ---------------------------------------------------------------------------------------------------- */

static long end_of(long child, int options, int *ret_status)
{
    long ended;

    do
        ended = cpu_syscall(SYS_wait4, child, (long)ret_status, options | __WALL, 0, 0, 0);
    while (ended == -EINTR);
    return ended;
}

/* Whoever waits for something that never comes is ended by force. */
static bool has_ended_well(long child)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int status = -1;
    long ended = end_of(child, WNOHANG, &status);

    for (int i = 0; ended == 0 && i < NAPS_MAX; i++) {
        cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
        ended = end_of(child, WNOHANG, &status);
    }
    if (ended == 0) {
        cpu_syscall(SYS_kill, child, SIGKILL, 0, 0, 0, 0);
        ended = end_of(child, 0, &status);
    }
    return ended == child && status == 0;
}

bool own_allocator_works(void)
{
    uint64_t mask;
    bool works;
    long child;

    own_mask_block(&mask);
    child = cpu_syscall(SYS_clone, 0, 0, 0, 0, 0, 0); /* no signal tells of its end */
    if (child == 0) {
        be_silent();
        end(is_served());
    }
    works = child > 0 && has_ended_well(child);
    own_mask_restore(&mask);
    return works;
}
