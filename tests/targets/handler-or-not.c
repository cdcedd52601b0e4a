/* A program of one thread that does what only such a one can (and changes what a thread may), from places that look
 * like a signal handler, or like none. Somebody who stands in for these calls has to tell the two apart. */
#include "victim.h"

#include <errno.h>
#include <glob.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

enum {
    DEEP_BYTES = 600 * 1024,
    FRAME_BYTES = 8 * 1024, /* more than a signal's frame */
    SMALL_STACK_BYTES = 16 * 1024,
    LARGE_STACK_BYTES = 2 * 1024 * 1024,
    LEVELS = 3000,
    HANDLED = 12,
};

int capset(cap_user_header_t header, const cap_user_data_t data);
int capget(cap_user_header_t header, cap_user_data_t data);

static ucontext_t first;
static ucontext_t coroutine;
static sigjmp_buf place;
static volatile sig_atomic_t handled;
static volatile sig_atomic_t failed;

TRACKED int work(int value)
{
    TOUCH();
    return value * 5 + 1;
}

/* The end of each mode. */
static void finish(void)
{
    work(1);
    printf("truth work success=1\n");
}

/* Whoever is in this process has the capabilities of the calling thread. */
static void give_up_one(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    CHECK(capget(&header, data) == 0);
    data[0].effective &= ~(1u << CAP_NET_RAW);
    data[0].permitted &= ~(1u << CAP_NET_RAW);
    CHECK(capset(&header, data) == 0);
    CHECK(system("for task in /proc/$PPID/task/*; do grep -E '^Cap(Eff|Prm)' $task/status; done | sort -u | wc -l | "
                 "grep -qx 2") == 0);
}

static void act(void)
{
    give_up_one();
    printf("CLONE_VM: %d\n", unshare(CLONE_VM));
    printf("CLONE_NEWUSER: %d\n", unshare(CLONE_NEWUSER));
    finish();
}

static void handle(int signal)
{
    (void)signal;
    handled++;
}

static void leave(int signal)
{
    (void)signal;
    siglongjmp(place, 1);
}

static void use(char *bytes)
{
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

/* The kernel's frame lies below this one's, where others lie afterwards. */
static __attribute__((noinline)) void be_handled(void)
{
    char space[FRAME_BYTES];

    use(space);
    if (sigsetjmp(place, 1) == 0)
        raise(SIGUSR1);
}

static __attribute__((noinline)) void above(void (*action)(void))
{
    char space[DEEP_BYTES];

    use(space);
    action();
    use(space);
}

static __attribute__((noinline)) int recurse(int level)
{
    char space[64];

    use(space);
    if (level == 0)
        act();
    else
        level += recurse(level - 1);
    use(space);
    return level;
}

static void recurse_to_it(void)
{
    recurse(LEVELS);
}

static void deep(void)
{
    above(act);
}

static void over_dead_frame(void)
{
    signal(SIGUSR1, handle);
    be_handled();
    CHECK(handled == 1);
    above(act);
}

static void over_left_frame(void)
{
    signal(SIGUSR1, leave);
    be_handled();
    above(act);
}

static void recursion(void)
{
    signal(SIGUSR1, handle);
    be_handled();
    above(recurse_to_it);
}

static void run_coroutine(void *stack, size_t bytes, void (*action)(void))
{
    CHECK(getcontext(&coroutine) == 0);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = bytes;
    coroutine.uc_link = &first;
    makecontext(&coroutine, action, 0);
    CHECK(swapcontext(&first, &coroutine) == 0);
}

static void on_allocated_stack(void)
{
    run_coroutine(malloc(LARGE_STACK_BYTES), LARGE_STACK_BYTES, act);
}

static void on_mapped_stack(void)
{
    void *stack = mmap(NULL, LARGE_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    run_coroutine(stack, LARGE_STACK_BYTES, over_dead_frame);
}

static void on_small_stack(void)
{
    run_coroutine(malloc(SMALL_STACK_BYTES), SMALL_STACK_BYTES, act);
}

/* The handler's stack ends where nobody knows; but it is no coroutine's. */
static void act_in_handler(int signal)
{
    (void)signal;
    give_up_one();
    failed = unshare(CLONE_VM);
    handled++;
}

static void in_handler(void)
{
    signal(SIGUSR1, act_in_handler);
    raise(SIGUSR1);
    CHECK(handled == 1 && failed == 0);
    signal(SIGUSR1, SIG_DFL); /* whoever had to wait for the handler's end need not any longer */
    finish();
}

/* By the time that the daemon's parents are gone nobody but it can serve. */
static void be_daemon(void)
{
    pid_t child = fork();
    int ends[2];
    char byte;

    if (child > 0)
        _exit(waitpid(child, NULL, 0) != child);
    setsid();
    CHECK(pipe(ends) == 0);
    if (fork() > 0)
        _exit(0);
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 0);
}

static void deep_daemon(void)
{
    signal(SIGUSR1, handle);
    be_handled();
    above(be_daemon);
    finish();
}

static void be_daemon_in_handler(int signal)
{
    (void)signal;
    be_daemon();
}

static void handler_daemon(void)
{
    signal(SIGUSR1, be_daemon_in_handler);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    finish();
}

static void unshare_thread(void)
{
    if (unshare(CLONE_VM) != 0 || unshare(CLONE_VM) != 0)
        failed++;
}

static void unshare_in_handler(int signal)
{
    int saved_errno = errno;

    (void)signal;
    if (handled % 2)
        above(unshare_thread);
    else
        unshare_thread();
    handled++;
    errno = saved_errno;
}

/* Whoever else is in this process waits for something to do. */
static bool is_quiet(void)
{
    glob_t calls;
    bool is = true;

    CHECK(glob("/proc/self/task/*/syscall", 0, NULL, &calls) == 0);
    for (size_t i = 0; i < calls.gl_pathc; i++) {
        FILE *file = fopen(calls.gl_pathv[i], "r");
        int number = SYS_ppoll;

        if (strtol(strstr(calls.gl_pathv[i], "task/") + 5, NULL, 10) != gettid() && file)
            is &= fscanf(file, "%d", &number) == 1 && number == SYS_ppoll;
        if (file)
            fclose(file);
    }
    globfree(&calls);
    return is;
}

/* What is interrupted holds a lock of the allocator's, if there is another thread. */
static void while_memory_is_allocated(void)
{
    const struct itimerval soon = {.it_value = {0, 1000}};

    signal(SIGALRM, unshare_in_handler);
    for (int i = 1; i <= HANDLED; i++) {
        signal(SIGUSR2, SIG_IGN); /* whoever stepped aside comes back */
        while (!is_quiet())
            sched_yield();
        setitimer(ITIMER_REAL, &soon, NULL);
        while (handled < i)
            for (size_t k = 0; k < 16; k++)
                free(malloc(5000 + 37 * k));
    }
    signal(SIGALRM, SIG_DFL);
    CHECK(failed == 0);
    finish();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"deep", deep},
        {"over-dead-frame", over_dead_frame},
        {"over-left-frame", over_left_frame},
        {"recursion", recursion},
        {"on-allocated-stack", on_allocated_stack},
        {"on-mapped-stack", on_mapped_stack},
        {"on-small-stack", on_small_stack},
        {"in-handler", in_handler},
        {"deep-daemon", deep_daemon},
        {"handler-daemon", handler_daemon},
        {"while-memory-is-allocated", while_memory_is_allocated},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
