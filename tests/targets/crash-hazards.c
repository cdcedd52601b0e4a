/* Crashes, and handlers of crashes, where a guest is easily in the way. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "victim.h"

enum {
    JUMPS = 10000,
    THREADS = 64,
};

static uintptr_t volatile null_address;
static volatile int answer;

TRACKED void crash_here(void)
{
    answer = *(volatile int *)null_address;
    TOUCH();
}

TRACKED void work(void)
{
    TOUCH();
}

/* The program survives by jumping out of its handler. */
static _Thread_local sigjmp_buf escape;
static _Thread_local volatile int seen;

static void jump(int number)
{
    seen += number == SIGSEGV;
    siglongjmp(escape, 1);
}

static void *jump_often(void *context)
{
    (void)context;
    for (volatile int i = 0; i < JUMPS; i++)
        if (sigsetjmp(escape, 1) == 0)
            crash_here();
    CHECK(seen == JUMPS);
    return NULL;
}

static void install(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(SIGSEGV, &action, NULL);
}

static void run_jumps(void)
{
    pthread_t thread;

    install(jump, 0);
    jump_often(NULL);
    pthread_create(&thread, NULL, jump_often, NULL);
    pthread_join(thread, NULL);
    printf("truth crash_here abandoned=%d\n", 2 * JUMPS);
}

/* And ends in a deep call afterwards, whose frames lie where the handler's were. */
static int __attribute__((noinline)) end_deep(int depth)
{
    volatile char room[4096];

    room[depth] = 1;
    if (depth == 0 && null_address == 0)
        exit(7);
    return depth == 0 ? 0 : end_deep(depth - 1) + room[depth];
}

static void end_in_handler(int number)
{
    end_deep(number);
}

static void run_jumps_and_ends(void)
{
    install(jump, 0);
    jump_often(NULL);
    end_deep(50);
}

static void run_jumps_and_ends_on_stack(void)
{
    static char room[65536];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};

    sigaltstack(&stack, NULL);
    install(jump, SA_ONSTACK);
    jump_often(NULL);
    end_deep(50);
}

/* A signal that is sent to the process waits for one of the program's threads: all have it blocked. */
static void run_pending(void)
{
    struct timespec limit = {.tv_sec = 5};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    victim_finish();
    CHECK(sigtimedwait(&set, NULL, &limit) == SIGSEGV);
}

/* Its own file is a pipe that nobody writes to: whoever opens it in a handler may wait for ever. */
static void run_no_file(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length <= 0)
        _exit(91);
    path[length] = '\0';
    if (unlink(path) != 0 || mkfifo(path, 0600) != 0)
        _exit(92);
    crash_here();
}

/* What is not restored by a jump that we do not see: the handler's note. */
static void *unseen[5];

static void jump_unseen(int number)
{
    (void)number;
    __builtin_longjmp(unseen, 1);
}

static void run_unseen_jump_and_end(void)
{
    install(jump_unseen, SA_NODEFER);
    for (volatile int i = 0; i < 100; i++)
        if (__builtin_setjmp(unseen) == 0)
            crash_here();
    exit(7);
}

/* A tracked call that was left by such a jump is not where the program crashes later. */
TRACKED void leave_unseen(void)
{
    __builtin_longjmp(unseen, 1);
}

static void run_left_behind(void)
{
    if (__builtin_setjmp(unseen) == 0)
        leave_unseen();
    answer = *(volatile int *)null_address;
}

/* All threads at once. */
static pthread_barrier_t barrier;

static void *crash_together(void *context)
{
    (void)context;
    work();
    pthread_barrier_wait(&barrier);
    crash_here();
    return NULL;
}

static void run_many(void)
{
    pthread_t threads[THREADS];
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], &attributes, crash_together, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void run_one(void)
{
    work();
    crash_here();
}

static void run_one_deaf(void)
{
    signal(SIGINT, SIG_IGN);
    run_one();
}

/* Its handler asks for an alternate stack that the program has not set. */
static int __attribute__((noinline)) sink(int depth)
{
    volatile char room[1024];

    room[depth % 1024] = (char)depth;
    return depth == INT32_MAX ? 0 : sink(depth + 1) + room[(depth + 1) % 1024];
}

static void run_overflow(void)
{
    install(jump, SA_ONSTACK);
    answer = sink(0);
}

/* All threads change their user, also the one that has crashed. */
static void *crash(void *context)
{
    crash_here();
    return context;
}

static void run_set_id(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, crash, NULL);
    while (getchar() != EOF)
        ;
    CHECK(setuid(getuid()) == 0);
    puts("changed");
    fflush(stdout);
    pthread_join(thread, NULL);
}

/* Children. */
static void expect_crash(pid_t child)
{
    int status = 0;

    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

enum fork_way {
    FORK_BY_LIBC,
    FORK_BY_KERNEL,
    FORK_NOT, /* wait within the call instead */
};

/* The call began in the parent, and once more in the child, which no other call tells so. */
TRACKED void forking(enum fork_way way)
{
    pid_t child;

    if (way == FORK_NOT) {
        victim_finish();
        return;
    }
    child = way == FORK_BY_LIBC ? fork() : (pid_t)syscall(SYS_fork);
    if (child == 0)
        answer = *(volatile int *)null_address;
    expect_crash(child);
}

static void run_forked_inside(void)
{
    forking(FORK_BY_LIBC);
    forking(FORK_BY_KERNEL);
    printf("truth forking success=2 panic=2 active=1\n");
    forking(FORK_NOT);
}

static void run_forked(void)
{
    pid_t child = fork();

    if (child == 0)
        crash_here();
    expect_crash(child);
    printf("truth crash_here panic=1\n");
}

/* The parent's memory, and its thread's. */
static void __attribute__((noinline)) crash_in_vfork(void)
{
    pid_t child = vfork();

    if (child == 0) {
        answer = *(volatile int *)null_address;
        _exit(1);
    }
    expect_crash(child);
}

TRACKED void vforking(void)
{
    crash_in_vfork();
    TOUCH();
}

static void run_vforked(void)
{
    vforking();
    vforking();
    printf("truth vforking success=2\n");
}

/* A handler whose child runs something: as debuggers' do. The child's end is not the program's. */
static void ask_others(int number)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        exit(3);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 3)
        _exit(98);
    child = vfork();
    if (child == 0)
        _exit(4);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 4)
        _exit(97);
    siglongjmp(escape, number);
}

static void run_asks(void)
{
    install(ask_others, 0);
    if (sigsetjmp(escape, 1) == 0)
        crash_here();
    printf("truth crash_here abandoned=1\n");
}

/* All descriptors are the program's, for its own use. The parent sees what the crashing child wrote to each. */
static void run_descriptors(void)
{
    enum {
        PIPES = 12
    };
    int ends[PIPES][2];
    pid_t child;
    int status;

    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    for (int i = 0; i < PIPES; i++)
        if (pipe(ends[i]) != 0)
            _exit(91);
    child = fork();
    if (child == 0) {
        for (int i = 0; i < PIPES; i++) {
            close(ends[i][0]);
            if (write(ends[i][1], "mine", 4) != 4)
                _exit(92);
        }
        crash_here();
    }
    for (int i = 0; i < PIPES; i++) {
        char bytes[64];
        size_t length = 0;
        ssize_t count;

        close(ends[i][1]);
        while ((count = read(ends[i][0], bytes + length, sizeof(bytes) - length)) > 0)
            length += (size_t)count;
        if (length != 4 || memcmp(bytes, "mine", 4) != 0)
            _exit(93);
    }
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        _exit(94);
    _exit(7);
}

/* Standard error is a pipe: full, or with nobody at its other end. */
static void run_full_pipe(void)
{
    int ends[2];
    char bytes[4096] = "";

    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(91);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], bytes, sizeof(bytes)) > 0)
        ;
    fcntl(ends[1], F_SETFL, 0);
    execl("/proc/self/exe", "crash-hazards", "one", NULL);
}

static void run_broken_pipe(void)
{
    int ends[2];

    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(91);
    close(ends[0]);
    execl("/proc/self/exe", "crash-hazards", "one", NULL);
}

/* The counters are gone from under callmeter: the one shared mapping of nothing. */
static void unmap_counters(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long low;
        unsigned long high;

        if (strstr(line, "/dev/zero (deleted)") && sscanf(line, "%lx-%lx", &low, &high) == 2)
            mmap((void *)low, high - low, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    }
    fclose(maps);
}

static void run_no_counters(void)
{
    work();
    unmap_counters();
    answer = *(volatile int *)null_address;
}

/* Who asks for the metrics now meets a fault of callmeter's own thread. */
static void run_no_server(void)
{
    unmap_counters();
}

static void run_exit_in_handler(void)
{
    install(end_in_handler, 0);
    crash_here();
}

/* The handler's exit meets another crash on its way. */
static void run_crash_after_exit(void)
{
    atexit(crash_here);
    run_exit_in_handler();
}

static void run_abort_after_exit(void)
{
    atexit(abort);
    run_exit_in_handler();
}

static void run_forked_after_exit(void)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        run_abort_after_exit();
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    printf("truth crash_here panic=1\n");
}

static const struct victim_mode modes[] = {
    {"jumps", run_jumps},
    {"jumps-and-ends", run_jumps_and_ends},
    {"jumps-and-ends-on-stack", run_jumps_and_ends_on_stack},
    {"unseen-jump-and-end", run_unseen_jump_and_end},
    {"left-behind", run_left_behind},
    {"many", run_many},
    {"one", run_one},
    {"one-deaf", run_one_deaf},
    {"set-id", run_set_id},
    {"overflow", run_overflow},
    {"forked", run_forked},
    {"forked-inside", run_forked_inside},
    {"vforked", run_vforked},
    {"asks", run_asks},
    {"descriptors", run_descriptors},
    {"full-pipe", run_full_pipe},
    {"broken-pipe", run_broken_pipe},
    {"no-counters", run_no_counters},
    {"pending", run_pending},
    {"no-file", run_no_file},
    {"no-server", run_no_server},
    {"exit-in-handler", run_exit_in_handler},
    {"crash-after-exit", run_crash_after_exit},
    {"abort-after-exit", run_abort_after_exit},
    {"forked-after-exit", run_forked_after_exit},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
