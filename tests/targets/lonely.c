/* What a program can do only while it has no other thread, and what it must be able to do in spite of one that it does
 * not know of. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum {
    FORKS = 300,
    FILES_MAX = 64,
    ROUNDS = 200,
    FEW_FILES = 16,
};

static volatile sig_atomic_t forks;
static int has_all_numbers = 1; /* no descriptor but the program's own is in its table */

TRACKED int work(int value)
{
    TOUCH();
    return value * 3 + 1;
}

static int wait_for(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void say_errno(const char *what, int result)
{
    printf("%s: %d %s\n", what, result, result == 0 ? "" : strerrorname_np(errno));
}

/* In children, which have a thread less to lose. */
static void in_child(void (*action)(void))
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        action();
        work(1);
        fflush(stdout);
        _exit(0);
    }
    CHECK(wait_for(child) == 0);
}

static void unshare_user(void)
{
    say_errno("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
}

static void unshare_threads(void)
{
    say_errno("unshare(CLONE_THREAD)", unshare(CLONE_THREAD));
    say_errno("unshare(CLONE_VM)", unshare(CLONE_VM));
    say_errno("unshare(CLONE_FILES)", unshare(CLONE_FILES));
    errno = 0;
    say_errno("unshare of nonsense", unshare(1));
}

static void enter(const char *path, int kind)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    say_errno(path, setns(fd, kind));
    close(fd);
}

static void enter_namespaces(void)
{
    enter("/proc/self/ns/mnt", CLONE_NEWNS);
    enter("/proc/self/ns/mnt", 0);
    enter("/proc/self/ns/net", 0);
    enter("/proc/self/ns/user", 0);
    enter("/dev/null", 0);
}

static void namespaces(void)
{
    in_child(unshare_user);
    in_child(unshare_threads);
    in_child(enter_namespaces);
    unshare_threads();
    enter_namespaces();
    unshare_user();
    work(1);
    printf("truth work success=4\n");
}

/* Bare, libc takes no lock in a process of one thread: a handler may fork whatever it interrupted. */
static void fork_in_handler(int signal)
{
    int saved_errno = errno;
    pid_t child = fork();

    (void)signal;
    if (child == 0) {
        work(1);
        _exit(0);
    }
    CHECK(wait_for(child) == 0);
    forks++;
    errno = saved_errno;
}

static void fork_in_handlers(bool is_on_stack_of_its_own)
{
    char memory[64 * 1024]; /* of this stack, above what is interrupted */
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
    struct sigaction action = {.sa_handler = fork_in_handler};
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    void *pieces[16];

    if (is_on_stack_of_its_own)
        CHECK(sigaltstack(&stack, NULL) == 0);
    action.sa_flags = is_on_stack_of_its_own ? SA_ONSTACK | SA_RESTART : SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (forks < FORKS) {
        for (size_t i = 0; i < 16; i++)
            pieces[i] = malloc(5000 + 37 * i);
        for (size_t i = 0; i < 16; i++)
            free(pieces[i]);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("truth work success=%d\n", (int)forks);
}

static void handlers(void)
{
    fork_in_handlers(false);
}

static void handlers_on_their_stack(void)
{
    fork_in_handlers(true);
}

/* Before all constructors of libraries: whoever stands in for these functions has not been called yet. */
static int early_results[6];

static void *answer(void *argument)
{
    return argument;
}

static void act_early(int argc, char **argv, char **variables)
{
    pthread_t thread;
    void *answered = NULL;
    char name[16];
    pid_t child;

    (void)variables;
    if (argc < 2 || strcmp(argv[1], "early") != 0)
        return;
    child = fork();
    if (child == 0)
        _exit(5);
    early_results[0] = wait_for(child) == 5;
    early_results[1] =
        pthread_create(&thread, NULL, answer, name) == 0 && pthread_join(thread, &answered) == 0 && answered == name;
    early_results[2] = syscall(SYS_getpid) == getpid();
    early_results[3] = prctl(PR_GET_NAME, name) == 0;
    early_results[4] = unshare(0) == 0;
    early_results[5] = setns(-1, 0) == -1 && errno == EBADF;
}

__attribute__((section(".preinit_array"), used)) static void (*before_all)(int, char **, char **) = act_early;

static void early(void)
{
    for (int i = 0; i < 6; i++)
        CHECK(early_results[i]);
    work(1);
    printf("truth work success=1\n");
}

static void *leave_by_system_call(void *unused)
{
    syscall(SYS_exit, 8);
    return unused;
}

/* Each way in which a process of one thread, or its first one, can end. */
static void ends(void)
{
    pthread_t thread;
    pid_t child;

    if ((child = fork()) == 0) {
        work(1);
        pthread_exit(NULL);
    }
    CHECK(wait_for(child) == 0);
    if ((child = fork()) == 0) {
        work(1);
        syscall(SYS_exit, 7);
    }
    CHECK(wait_for(child) == 7);
    if ((child = fork()) == 0) {
        work(1);
        if (pthread_create(&thread, NULL, leave_by_system_call, NULL) == 0)
            syscall(SYS_exit, 8);
        _exit(1);
    }
    CHECK(wait_for(child) == 8);
    if ((child = fork()) == 0) {
        work(1);
        exit(9);
    }
    CHECK(wait_for(child) == 9);
    printf("truth work success=4\n");
}

/* What a caller of fork may count on. */
static void forked(void)
{
    sigset_t mask;
    sigset_t now;
    sigset_t pending;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    raise(SIGUSR1);
    for (int i = 0; i < 20; i++) {
        pid_t child;

        errno = EXDEV;
        child = fork();
        CHECK(errno == EXDEV);
        sigprocmask(SIG_BLOCK, NULL, &now);
        CHECK(memcmp(&mask, &now, 8) == 0);
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGUSR1) == (child != 0));
        if (child == 0) {
            CHECK(getpid() == (pid_t)syscall(SYS_getpid));
            CHECK(gettid() == getpid());
            work(i);
            _exit(victim_failures);
        }
        CHECK(wait_for(child) == 0);
    }
    printf("truth work success=20\n");
}

/* A filter for all threads that kills for what a server or a new thread does. */
static int confine(bool is_for_all)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ppoll, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    if (is_for_all)
        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* One process is confined, with all its threads or with its own; another one is not. */
static void confined(bool is_for_all)
{
    int ends[2];
    char byte;
    pid_t child;

    CHECK(pipe(ends) == 0);
    fflush(stdout);
    if (fork() == 0) {
        close(ends[1]);
        work(1);
        while (read(ends[0], &byte, 1) > 0)
            ;
        _exit(0);
    }
    close(ends[0]);
    CHECK(confine(is_for_all) == 0);
    work(1);
    child = fork();
    if (child == 0) {
        work(1);
        _exit(3);
    }
    CHECK(wait_for(child) == 3);
    printf("truth work success=3\n");
}

static void confined_threads(void)
{
    confined(true);
}

static void confined_thread(void)
{
    confined(false);
}

static void make_thread(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, answer, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

/* Our own, and at most one that is not. */
static int count_threads(void)
{
    struct stat status;

    return stat("/proc/self/task", &status) == 0 ? (int)status.st_nlink - 2 : -1;
}

static void atfork_handlers(void)
{
    pid_t child;

    CHECK(pthread_atfork(NULL, NULL, make_thread) == 0);
    for (int i = 0; i < 20; i++) {
        child = fork();
        if (child == 0) {
            work(i);
            CHECK(count_threads() <= 2);
            _exit(victim_failures);
        }
        CHECK(wait_for(child) == 0);
    }
    printf("truth work success=20\n");
}

/* Descriptors ------------------------------------------------------------------------------------------------------ */

static uint64_t pattern(int file, int round)
{
    return (uint64_t)file << 32 | (uint64_t)(unsigned)round;
}

/* Takes every number that the limit allows, with files of its own. */
static int fill(int *files, int first)
{
    char path[] = "/tmp/lonely.XXXXXX";
    int count = 0;

    for (int fd; count < FILES_MAX; count++) {
        fd = count == 0 ? mkstemp(path) : open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (count == 0)
            unlink(path);
        if (fd < 0)
            break;
        CHECK(!has_all_numbers || fd == first + count);
        files[count] = fd;
    }
    return count;
}

static void check_files(const int *files, int count)
{
    for (int i = 0; i < count; i++) {
        uint64_t value = 0;
        struct stat status;

        CHECK(fstat(files[i], &status) == 0 && status.st_size == ROUNDS * (off_t)sizeof(value));
        for (int round = 0; round < ROUNDS; round++)
            CHECK(pread(files[i], &value, sizeof(value), round * (off_t)sizeof(value)) == sizeof(value) &&
                  value == pattern(i, round));
    }
}

/* Closes all but the standard ones, takes their numbers for files, and writes to these for a while. */
static void use_files(void)
{
    int files[FILES_MAX];
    int count;

    closefrom(3);
    count = fill(files, 3);
    for (int round = 0; round < ROUNDS; round++) {
        work(round);
        for (int i = 0; i < count; i++) {
            uint64_t value = pattern(i, round);

            CHECK(write(files[i], &value, sizeof(value)) == sizeof(value));
        }
        usleep(1000);
    }
    check_files(files, count);
    CHECK(count >= FEW_FILES / 2);
    if (has_all_numbers)
        printf("%d files\n", count);
    for (int i = 0; i < count; i++)
        close(files[i]);
}

static void files(void)
{
    use_files();
    in_child(use_files);
    printf("truth work success=%d\n", 2 * ROUNDS + 1);
}

static void few_files(void)
{
    const struct rlimit limit = {FEW_FILES, FEW_FILES};

    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    files();
}

static void few_files_of_many(void)
{
    has_all_numbers = 0;
    few_files();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"namespaces", namespaces},
        {"handlers", handlers},
        {"handlers-on-their-stack", handlers_on_their_stack},
        {"early", early},
        {"atfork-handlers", atfork_handlers},
        {"ends", ends},
        {"forked", forked},
        {"files", files},
        {"confined-threads", confined_threads},
        {"confined-thread", confined_thread},
        {"few-files", few_files},
        {"few-files-of-many", few_files_of_many},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
