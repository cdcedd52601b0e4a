/* Children that confine themselves to a few system calls, and then fault, abort, or survive. The parent tells how each
 * has ended. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "victim.h"

enum {
    ALLOWED_MAX = 64,
    THREADS = 4,
    ATTEMPTS = 5000,
};

static uintptr_t volatile null_address;
static volatile int answer;
static sigjmp_buf escape;
static const char *way;

static bool is_way(const char *name)
{
    return strcmp(way, name) == 0;
}

TRACKED void crash_here(void)
{
    if (is_way("abort"))
        abort();
    if (is_way("raise"))
        raise(SIGFPE);
    if (is_way("exit"))
        _exit(4);
    answer = *(volatile int *)null_address;
    TOUCH();
}

static void handle(int number)
{
    (void)number;
    if (is_way("jump"))
        siglongjmp(escape, 1);
    _exit(3);
}

/* The filter: these are allowed, and all others kill; or the other way round. */
static void confine(const uint16_t *numbers, unsigned short count, bool is_allowing)
{
    struct sock_filter code[ALLOWED_MAX + 3];
    struct sock_fprog program = {.len = (unsigned short)(count + 3), .filter = code};
    unsigned others = is_allowing ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW;
    unsigned these = is_allowing ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;

    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned char i = 0; i < count; i++)
        code[i + 1] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], (unsigned char)(count - i), 0);
    code[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, others);
    code[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, these);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void confine_to_few(void)
{
    static const uint16_t numbers[] = {SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask,
                                       SYS_getpid,     SYS_gettid,       SYS_tgkill};

    confine(numbers, sizeof(numbers) / sizeof(numbers[0]), true);
}

static void confine_to_fewer(void)
{
    static const uint16_t numbers[] = {SYS_exit_group, SYS_rt_sigreturn};

    confine(numbers, sizeof(numbers) / sizeof(numbers[0]), true);
}

/* Whoever writes files, or sets a timer, is killed. */
static void confine_from_files(void)
{
    static const uint16_t numbers[] = {SYS_openat, SYS_timer_create, SYS_renameat2};

    confine(numbers, sizeof(numbers) / sizeof(numbers[0]), false);
}

/* A filter that the kernel refuses changes nothing. */
static void confine_badly(void)
{
    struct sock_filter code = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    struct sock_fprog program = {.len = 1, .filter = &code};
    struct sock_fprog nowhere = {.len = 1, .filter = (struct sock_filter *)(uintptr_t)8};

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &nowhere) == 0 || prctl(PR_SET_SECCOMP, 77, 0, 0, 0) == 0)
        _exit(77);
}

/* One that would kill for all that a panic needs, but is none: the kernel reads on. */
static void *confine_badly_often(void *context)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), {.code = UINT16_MAX}};
    struct sock_fprog program = {.len = 2, .filter = code};

    for (int i = 0; i < ATTEMPTS; i++)
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
            _exit(77);
    return context;
}

static void confine_not(void) {}

static void child(void (*confine_self)(void))
{
    if (is_way("jump") || is_way("handler-exit"))
        signal(SIGSEGV, handle);
    if (sigsetjmp(escape, 0) != 0)
        _exit(5);
    confine_self();
    crash_here();
    _exit(6);
}

static void run_ways(void (*confine_self)(void))
{
    static const char *const ways[] = {"fault", "abort", "raise", "exit", "jump", "handler-exit"};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        int status = 0;
        pid_t pid;

        way = ways[i];
        fflush(stdout);
        pid = fork();
        if (pid == 0)
            child(confine_self);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        printf("%s: status %x\n", way, (unsigned)status);
    }
}

static void run_few(void)
{
    run_ways(confine_to_few);
    printf("truth crash_here abandoned=6\n");
}

static void run_fewer(void)
{
    run_ways(confine_to_fewer);
    printf("truth crash_here abandoned=6\n");
}

static void run_files(void)
{
    run_ways(confine_from_files);
    printf("truth crash_here panic=4 abandoned=2\n");
}

static void run_badly(void)
{
    run_ways(confine_badly);
    printf("truth crash_here panic=4 abandoned=2\n");
}

static void run_threads(void)
{
    pthread_t threads[THREADS];

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, confine_badly_often, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    run_ways(confine_not);
    printf("truth crash_here panic=4 abandoned=2\n");
}

static const struct victim_mode modes[] = {
    {"few", run_few},     {"fewer", run_fewer},     {"files", run_files},
    {"badly", run_badly}, {"threads", run_threads}, {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
