/* A program for another C library: uses what the preload object stands in for, and says what came of it. Built with
 * musl-gcc, so it is held to no header of ours. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t signals_seen;
static sigjmp_buf jump;

int work(int value)
{
    return value + 1;
}

static void on_signal(int signal)
{
    (void)signal;
    signals_seen++;
}

static void jump_out(int signal)
{
    siglongjmp(jump, signal);
}

static void *thread(void *argument)
{
    return (char *)argument + work(0);
}

static int end_of(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void use_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct timespec no_time = {0, 0};
    sigset_t mask;

    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    raise(SIGUSR1);
    sigemptyset(&mask);
    printf("pselect %d, ppoll %d\n", pselect(0, NULL, NULL, NULL, &no_time, NULL), ppoll(NULL, 0, &no_time, NULL));
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    signal(SIGSEGV, jump_out);
    if (sigsetjmp(jump, 1) == 0)
        raise(SIGSEGV);
    printf("signals %d\n", (int)signals_seen);
}

static void use_processes(char *self)
{
    char *const arguments[] = {self, "child", NULL};
    pid_t child = fork();

    if (child == 0)
        _exit(work(2));
    printf("fork %d\n", end_of(child));
    child = vfork();
    if (child == 0) {
        execve("/proc/self/exe", arguments, environ);
        _exit(99);
    }
    printf("vfork %d\n", end_of(child));
    child = -1;
    errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ);
    printf("posix_spawn %d\n", end_of(child));
    child = fork();
    if (child == 0)
        abort();
    printf("abort %d\n", end_of(child));
    printf("system %d\n", system("exit 5") >> 8);
}

static void use_others(void)
{
    struct rlimit limit;
    jmp_buf place;
    pthread_t id;
    void *result = NULL;
    FILE *stream = popen("echo popen", "r");
    char line[16] = "";

    if (stream && fgets(line, sizeof(line), stream))
        fputs(line, stdout);
    if (stream)
        pclose(stream);
    if (setjmp(place) == 0)
        longjmp(place, 1);
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, &result);
    printf("thread %d, getrlimit %d, prctl %d, syscall %d\n", (int)(long)result, getrlimit(RLIMIT_NOFILE, &limit),
           prctl(PR_GET_DUMPABLE), syscall(SYS_getpid) == getpid());
    printf("dlopen %d\n", dlopen(NULL, RTLD_NOW) != NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return work(6);
    setvbuf(stdout, NULL, _IONBF, 0);
    use_signals();
    use_processes(argv[0]);
    use_others();
    printf("work %d\n", work(1));
    exit(3);
}
