/* What programs do to all their threads at once, or expect of them: change the user, wait for signals that are the
 * process's, leave the first thread, ask for sizes. Lines that are not about callmeter are to be as in a bare run. */
#include "victim.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
    THREADS = 4,
    SIGNALS = 2000,
    NOBODY = 65534,
};

static atomic_bool is_over;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

static void *start_until_over(void *argument)
{
    atomic_long *calls = argument;

    do {
        work(1);
        ++*calls;
        usleep(100);
    } while (!is_over);
    return NULL;
}

static pthread_t start(void *(*routine)(void *), void *argument)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, routine, argument) == 0);
    return thread;
}

/* All three ids of the thread, which only it can tell for certain. */
static void *start_as_nobody(void *argument)
{
    uid_t user[3];
    gid_t group[3];

    getresuid(&user[0], &user[1], &user[2]);
    getresgid(&group[0], &group[1], &group[2]);
    for (int i = 0; i < 3; i++)
        CHECK(user[i] == NOBODY && group[i] == NOBODY);
    return argument;
}

/* glibc makes each thread change its own credentials, by a signal; a thread that did not would abort the process. */
static void change_user(void)
{
    pthread_t threads[THREADS];
    atomic_long calls[THREADS] = {0};
    long sum = 0;

    for (int t = 0; t < THREADS; t++)
        threads[t] = start(start_until_over, &calls[t]);
    for (int i = 0; i < 50; i++)
        CHECK(setegid(i % 2 ? 0 : NOBODY) == 0 && seteuid(i % 2 ? 0 : NOBODY) == 0 && seteuid(0) == 0);
    CHECK(setegid(0) == 0);
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    CHECK(setuid(0) == -1 && errno == EPERM);
    is_over = 1;
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        sum += calls[t];
    }
    pthread_join(start(start_as_nobody, NULL), NULL);
    printf("truth work success=%ld\n", sum);
    CHECK(sum >= THREADS);
}

static void block(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, set, NULL) == 0);
}

static void *start_sigwait(void *argument)
{
    const sigset_t *set = argument;
    int number;

    for (int i = 0; i < SIGNALS; i++)
        CHECK(sigwait(set, &number) == 0 && number == SIGUSR1 && work(number) == SIGUSR1 + 1);
    return NULL;
}

/* Signals of the process, which a thread of the program waits for, all others blocking them. */
static void wait_for_signals(void)
{
    sigset_t set, pending;
    pthread_t thread;

    block(&set);
    thread = start(start_sigwait, &set);
    for (int i = 0; i < SIGNALS; i++) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        do
            sigpending(&pending);
        while (sigismember(&pending, SIGUSR1));
    }
    pthread_join(thread, NULL);
    printf("truth work success=%d\n", SIGNALS);
}

static void read_signals(void)
{
    struct signalfd_siginfo info;
    sigset_t set;
    int fd;

    block(&set);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    for (int i = 0; i < SIGNALS; i++) {
        int number = i % 2 ? SIGUSR1 : SIGTERM;

        CHECK(kill(getpid(), number) == 0);
        CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == (uint32_t)work(number - 1));
    }
    close(fd);
    printf("truth work success=%d\n", SIGNALS);
}

static pthread_t only_thread;
static atomic_int handled;

static void handle(int number)
{
    work(number);
    CHECK(pthread_equal(pthread_self(), only_thread));
    handled++;
}

static void *start_receiver(void *argument)
{
    sigset_t set;

    only_thread = pthread_self();
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return start_until_over(argument);
}

/* The kernel gives a signal of the process to any thread that does not block it, the first one before others: here it
 * blocks it, as all but one do. */
static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = handle};
    pthread_t threads[THREADS];
    atomic_long calls[THREADS] = {0};
    long sum = 0;
    sigset_t all;

    sigaction(SIGUSR1, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (int t = 0; t < THREADS; t++)
        threads[t] = start(t ? start_until_over : start_receiver, &calls[t]);
    for (int i = 0; i < SIGNALS; i++) {
        int before = handled;

        CHECK(kill(getpid(), SIGUSR1) == 0);
        while (handled == before)
            sched_yield();
    }
    is_over = 1;
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        sum += calls[t];
    }
    printf("truth work success=%ld\n", sum + handled); /* each handler's too */
}

static void say_goodbye(void)
{
    static const char text[] = "atexit\n";

    CHECK(write(STDERR_FILENO, text, sizeof(text) - 1) == sizeof(text) - 1);
}

static void *start_last(void *argument)
{
    for (int i = 0; i < 1000; i++)
        work(i);
    return argument;
}

/* In the child, the thread that forked is the first one; it leaves before another, whose end is the child's. */
static void child_main_leaves(void)
{
    for (int i = 0; i < 20; i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            atexit(say_goodbye);
            pthread_detach(start(start_last, NULL));
            pthread_exit(NULL);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    printf("truth work success=20000\n");
}

static void *start_leaves_main_alone(void *argument)
{
    pthread_t *main_thread = argument;

    CHECK(pthread_join(*main_thread, NULL) == 0);
    start_last(NULL);
    return NULL;
}

/* A thread may join the first one, which is over then; the program goes on. */
static void main_leaves_and_is_joined(void)
{
    static pthread_t main_thread;

    main_thread = pthread_self();
    atexit(say_goodbye);
    start(start_leaves_main_alone, &main_thread);
    pthread_exit(NULL);
}

static size_t stack_size(pthread_attr_t *attributes)
{
    size_t size = 0;
    void *address;

    CHECK(pthread_attr_getstack(attributes, &address, &size) == 0);
    return size;
}

static void *start_attributes(void *argument)
{
    pthread_attr_t attributes;
    size_t guard = 0;
    char name[16] = "";

    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    pthread_attr_getguardsize(&attributes, &guard);
    pthread_getname_np(pthread_self(), name, sizeof(name));
    /* The first thread's is what is left of its limit when the environment has its place. */
    printf("thread: stack %zu KiB, guard %zu, name %s\n", (stack_size(&attributes) + 32768) / 65536 * 64, guard, name);
    pthread_attr_destroy(&attributes);
    return argument;
}

static void attributes(void)
{
    pthread_attr_t defaults;
    size_t size = 0;
    char name[16];
    sigset_t set;

    work(1);
    start_attributes(NULL);
    pthread_join(start(start_attributes, NULL), NULL);
    CHECK(pthread_getattr_default_np(&defaults) == 0);
    pthread_attr_getstacksize(&defaults, &size);
    printf("default: stack %zu, smallest %ld\n", size, sysconf(_SC_THREAD_STACK_MIN));
    prctl(PR_GET_NAME, name);
    printf("first thread: %s, concurrency %d\n", name, pthread_getconcurrency());
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0);
    for (int number = 1; number < NSIG; number++)
        CHECK(sigismember(&set, number) != 1);
    printf("truth work success=1\n");
}

/* For callmeter's own thread there is no process left, or no memory. */
static void poor(void)
{
    for (int i = 0; i < 1000; i++)
        work(i);
    printf("truth work success=1000\n");
}

enum {
    BIG_FRAME_BYTES = 512 * 1024
};

static void handle_in_a_big_frame(int number)
{
    volatile char frame[BIG_FRAME_BYTES];

    for (size_t i = 0; i < sizeof(frame); i += 4096)
        frame[i] = 1;
    work(number);
}

static void *start_raise(void *argument)
{
    work(1);
    CHECK(raise(SIGUSR1) == 0);
    return argument;
}

/* Handlers that may run on an alternate stack, where the program has none. */
static void big_handlers(void)
{
    struct sigaction action = {.sa_handler = handle_in_a_big_frame, .sa_flags = SA_ONSTACK};

    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    start_raise(NULL);
    pthread_join(start(start_raise, NULL), NULL);
    CHECK(raise(SIGFPE) == 0);
    printf("truth work success=5\n");
}

/* Most of an address space of 400 000 KiB. */
static void much_memory(void)
{
    enum {
        BLOCKS = 330,
        BLOCK_BYTES = 1 << 20
    };
    void *blocks[BLOCKS];
    int count = 0;

    work(1);
    while (count < BLOCKS && (blocks[count] = malloc(BLOCK_BYTES)))
        count++;
    CHECK(count == BLOCKS);
    while (count)
        free(blocks[--count]);
    printf("truth work success=1\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"change-user", change_user},
        {"wait-for-signals", wait_for_signals},
        {"read-signals", read_signals},
        {"handle-signals", handle_signals},
        {"child-main-leaves", child_main_leaves},
        {"main-leaves-and-is-joined", main_leaves_and_is_joined},
        {"attributes", attributes},
        {"poor", poor},
        {"big-handlers", big_handlers},
        {"much-memory", much_memory},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
