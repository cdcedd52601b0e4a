#include "preload/processes/companion.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preload/machine/forbidden.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/processes/interrupted.h"
#include "preload/records/lane.h"
#include "preload/signals/masks.h"
#include "preload/threads/attach.h"

#define PUBLIC __attribute__((visibility("default")))

/* Namespaces that Linux lets no process with several threads enter, or none whose threads share a working directory. */
#define LONELY_SETNS   (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWTIME)
#define LONELY_UNSHARE (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)

enum {
    HOLD_TRY_NS = 100000,
    HOLD_TRIES = 1000,
};

static struct companion_calls calls;  /* all NULL: the process has no endpoint */
static _Atomic int companion_process; /* the one that had its chance of a thread; another one: a child which had none */
static atomic_bool is_running;

/* glibc's. NULL: it has none by that name. */
static atomic_int *libc_threads;      /* how many there are, without the companion */
static volatile char *libc_is_single; /* asked by functions that then take no locks */

static pid_t (*real_fork)(void);
static int (*real_daemon)(int, int);
static int (*real_forkpty)(int *, char *, const struct termios *, const struct winsize *);
static int (*real_pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*real_unshare)(int);
static int (*real_setns)(int, int);
static int (*real_capset)(void *, const void *);

void companion_resolve(void)
{
    *(void **)&real_fork = dlsym(RTLD_NEXT, "fork");
    *(void **)&real_daemon = dlsym(RTLD_NEXT, "daemon");
    *(void **)&real_forkpty = dlsym(RTLD_NEXT, "forkpty");
    *(void **)&real_pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    *(void **)&real_unshare = dlsym(RTLD_NEXT, "unshare");
    *(void **)&real_setns = dlsym(RTLD_NEXT, "setns");
    *(void **)&real_capset = dlsym(RTLD_NEXT, "capset");
}

/* Not where others may be in the middle of their start: heaptrack makes a thread while it holds the lock that its own
 * dlopen takes. */
static void find_in_libc(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

    if (!libc)
        return;
    libc_threads = dlvsym(libc, "__nptl_nthreads", "GLIBC_PRIVATE");
    libc_is_single = dlsym(libc, "__libc_single_threaded"); /* not the program's copy */
}

/* The constructors of libraries come before ours. */
static void resolve_first(const void *real)
{
    if (!real)
        companion_resolve();
}

/* As a system call, like all here that runs as part of the program's own calls: getpid may be a tracked function. */
static int own_process(void)
{
    return (int)cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

void companion_init(const struct companion_calls *given)
{
    interrupted_init();
    find_in_libc();
    calls = *given;
    atomic_store(&is_running, true);
    atomic_store(&companion_process, own_process());
}

static bool is_ours(void)
{
    return calls.start && atomic_load(&companion_process) == own_process();
}

/* True if the calling thread is the program's only one. */
static bool is_alone(void)
{
    return libc_threads && atomic_load(libc_threads) == 1;
}

/* What is between the two is callmeter's own work: not counted, not interrupted, and without a trace in errno. */
struct own_work {
    int saved_errno;
    uint64_t mask;
    struct lane *lane;
};

static void own_begin(struct own_work *work)
{
    work->saved_errno = errno;
    own_mask_block(&work->mask);
    work->lane = lane_enter();
}

static void own_end(const struct own_work *work)
{
    lane_leave(work->lane);
    own_mask_restore(&work->mask);
    errno = work->saved_errno;
}

void companion_start(void)
{
    struct own_work work;

    atomic_store(&companion_process, own_process());
    atomic_store(&is_running, false);
    if (forbidden_is_confined())
        return;
    own_begin(&work);
    atomic_store(&is_running, calls.start() == 0);
    own_end(&work);
}

bool companion_stop(void)
{
    struct own_work work;
    bool is_stopped;

    if (!is_ours() || !atomic_load(&is_running))
        return false;
    own_begin(&work);
    is_stopped = calls.stop();
    atomic_store(&is_running, !is_stopped);
    own_end(&work);
    return is_stopped;
}

/* Where the program could do nothing with its own threads, it is not helped either. */
static bool stop_if_alone(void)
{
    return is_ours() && is_alone() && !interrupted_maybe() && companion_stop();
}

/* Fork ------------------------------------------------------------------------------------------------------------- */

struct forking {
    bool is_sound; /* the child may have a thread */
    bool is_held;
    bool is_told; /* libc believes that there is one thread */
    char was_single;
};

/* At work it is for milliseconds; unless it waits for a lock itself. */
static bool hold(bool anyhow)
{
    const struct timespec while_at_work = {0, HOLD_TRY_NS};

    for (int i = 0; i < HOLD_TRIES; i++) {
        if (calls.hold(anyhow))
            return true;
        cpu_syscall(SYS_nanosleep, (long)&while_at_work, 0, 0, 0, 0, 0);
    }
    return false;
}

/* The companion is kept where it holds no lock: libc takes care of its own in the child, but an allocator of the
 * program's may not.
 *
 * With a companion, libc takes its locks when it forks, for the child's sake. A handler that forks may have interrupted
 * who holds one of them: bare, such a program goes on, for libc takes none where there is one thread. So in a handler
 * libc is told that there is one. */
static void fork_begin(struct forking *forking)
{
    bool is_single = is_ours() && is_alone();
    bool is_in_handler = is_single && interrupted_maybe();

    forking->is_sound = is_single && !is_in_handler;
    forking->is_held = is_ours() && atomic_load(&is_running) && hold(is_in_handler);
    forking->is_told = forking->is_held && is_in_handler && libc_is_single;
    if (!forking->is_told)
        return;
    forking->was_single = *libc_is_single;
    *libc_is_single = 1;
}

static void fork_end(const struct forking *forking)
{
    struct own_work work;

    if (forking->is_told)
        *libc_is_single = forking->was_single;
    if (!forking->is_held)
        return;
    own_begin(&work);
    calls.let_go();
    own_end(&work);
}

/* In the child, where only this thread is left, unless a handler of pthread_atfork has made others: then ours is there
 * too. */
static void fork_child(const struct forking *forking)
{
    if (forking->is_sound && !is_ours())
        companion_start();
}

PUBLIC pid_t fork(void)
{
    struct forking forking;
    pid_t pid;

    resolve_first(*(void **)&real_fork);
    fork_begin(&forking);
    pid = real_fork();
    if (pid == 0)
        fork_child(&forking);
    else
        fork_end(&forking);
    return pid;
}

PUBLIC pid_t __fork(void);

PUBLIC pid_t __fork(void)
{
    return fork();
}

/* libc's calls its own fork. */
PUBLIC int daemon(int no_chdir, int no_close)
{
    struct forking forking;
    pid_t parent = own_process();
    int result;

    resolve_first(*(void **)&real_daemon);
    fork_begin(&forking);
    result = real_daemon(no_chdir, no_close);
    if (own_process() != parent)
        fork_child(&forking);
    else
        fork_end(&forking);
    return result;
}

PUBLIC int forkpty(int *terminal, char *name, const struct termios *settings, const struct winsize *size)
{
    struct forking forking;
    int pid;

    resolve_first(*(void **)&real_forkpty);
    fork_begin(&forking);
    pid = real_forkpty(terminal, name, settings, size);
    if (pid == 0)
        fork_child(&forking);
    else
        fork_end(&forking);
    return pid;
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

/* A child that had no chance of a companion so far makes threads: so can we. */
static void follow(void)
{
    int known = atomic_load(&companion_process);

    if (known == own_process() || lane_is_borrowed())
        return;
    if (atomic_compare_exchange_strong(&companion_process, &known, own_process()))
        companion_start();
}

PUBLIC int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                          void *(*routine)(void *), void *restrict argument)
{
    int result;

    resolve_first(*(void **)&real_pthread_create);
    masks_settle(); /* the thread inherits the mask */
    result = real_pthread_create(thread, attributes, routine, argument);
    if (result == 0 && calls.start)
        follow();
    return result;
}

/* Credentials ------------------------------------------------------------------------------------------------------ */

bool companion_credentials_begin(void)
{
    return calls.start && stop_if_alone();
}

void companion_credentials_end(bool is_stopped)
{
    if (is_stopped)
        companion_start();
}

/* No header of libc's has it; libcap calls it. */
PUBLIC int capset(void *header, const void *data);

PUBLIC int capset(void *header, const void *data)
{
    bool is_stopped = companion_credentials_begin();
    int result;

    resolve_first(*(void **)&real_capset);
    result = real_capset(header, data);
    companion_credentials_end(is_stopped);
    return result;
}

/* Namespaces ------------------------------------------------------------------------------------------------------- */

PUBLIC int unshare(int flags)
{
    bool is_stopped = (flags & LONELY_UNSHARE) && stop_if_alone();
    int result;

    resolve_first(*(void **)&real_unshare);
    result = real_unshare(flags);
    if (is_stopped)
        companion_start();
    return result;
}

/* The kinds of namespaces that are entered; below 0: not to be found out. */
static long namespaces_of(int fd, int flags)
{
    return flags ? flags : cpu_syscall(SYS_ioctl, fd, NS_GET_NSTYPE, 0, 0, 0, 0);
}

PUBLIC int setns(int fd, int flags)
{
    bool is_stopped = calls.start && (namespaces_of(fd, flags) & LONELY_SETNS) && stop_if_alone();
    int result;

    resolve_first(*(void **)&real_setns);
    result = real_setns(fd, flags);
    if (is_stopped)
        companion_start();
    return result;
}
