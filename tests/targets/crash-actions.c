/* Sets and asks for actions of signals in every way that libc has, and prints what it is told: the same as bare. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "victim.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

extern char **environ;
extern __sighandler_t bsd_signal(int, __sighandler_t);
extern __sighandler_t sysv_signal(int, __sighandler_t);
extern __sighandler_t __sysv_signal(int, __sighandler_t);
extern int __sigaction(int, const struct sigaction *, struct sigaction *);

/* Claimed ones, one that is not, and numbers that are none. */
static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGUSR1, SIGKILL, 0, -1, 32, 65, 1000};

enum {
    NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
};

static volatile int delivered;
static const char *program;

static void first(int number)
{
    delivered = number;
}

static void second(int number, siginfo_t *info, void *context)
{
    delivered = -number - (info->si_signo == number ? 0 : 1000) - (context ? 0 : 2000);
}

static const char *name_of(const void *handler)
{
    if (handler == (void *)(uintptr_t)SIG_DFL)
        return "default";
    if (handler == (void *)(uintptr_t)SIG_IGN)
        return "ignore";
    if (handler == (void *)(uintptr_t)SIG_ERR)
        return "error";
    if (handler == (void *)(uintptr_t)SIG_HOLD)
        return "hold";
    return handler == (void *)(uintptr_t)first ? "first" : handler == (void *)(uintptr_t)second ? "second" : "strange";
}

static const char *name(__sighandler_t handler)
{
    return name_of((void *)(uintptr_t)handler);
}

static void show(const char *what, int number, const struct sigaction *action)
{
    uint64_t mask;

    memcpy(&mask, &action->sa_mask, sizeof(mask));
    printf("%s %d: %s flags %x mask %llx restorer %d\n", what, number, name(action->sa_handler),
           (unsigned)action->sa_flags, (unsigned long long)mask, action->sa_restorer != NULL);
}

static void ask(const char *what, int number)
{
    struct sigaction action;
    int result;

    memset(&action, 0, sizeof(action));
    errno = 0;
    result = sigaction(number, NULL, &action);
    printf("%d %d ", result, errno);
    show(what, number, &action);
}

static void set(int number, __sighandler_t handler, int flags, const sigset_t *mask)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct sigaction old;
    int result;

    memset(&old, 0, sizeof(old));
    action.sa_mask = *mask;
    errno = 0;
    result = (flags & SA_NOCLDSTOP ? __sigaction : sigaction)(number, &action, &old);
    printf("set %d %d ", result, errno);
    show("old", number, &old);
    ask("new", number);
}

static void run_calls(void)
{
    static __sighandler_t (*const functions[])(int, __sighandler_t) = {signal,      bsd_signal,    ssignal,
                                                                       sysv_signal, __sysv_signal, sigset};
    static const __sighandler_t handlers[] = {SIG_DFL, first, SIG_IGN, SIG_ERR, first, SIG_HOLD, SIG_HOLD, first};
    sigset_t mask;

    for (size_t i = 0; i < NUMBERS; i++) {
        ask("start", numbers[i]);
        sigemptyset(&mask);
        set(numbers[i], first, 0, &mask);
        sigaddset(&mask, SIGUSR2);
        sigaddset(&mask, SIGKILL);
        set(numbers[i], (__sighandler_t)(void (*)(void))second, SA_SIGINFO | SA_RESTART | SA_ONSTACK, &mask);
        sigfillset(&mask);
        set(numbers[i], first, ~0, &mask);
        set(numbers[i], SIG_IGN, 0, &mask);
        set(numbers[i], SIG_DFL, (int)SA_RESETHAND, &mask);
        for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
            for (size_t h = 0; h < sizeof(handlers) / sizeof(handlers[0]); h++) {
                if (handlers[h] == SIG_HOLD && functions[f] != sigset)
                    continue;
                errno = 0;
                printf("function %zu ", f);
                printf("%s", name(functions[f](numbers[i], handlers[h])));
                printf(" %d\n", errno);
                ask("then", numbers[i]);
            }
        }
        errno = 0;
        printf("ignore %d %d\n", sigignore(numbers[i]), errno);
        ask("then", numbers[i]);
        signal(numbers[i], first);
        for (int is = 1; is >= 0; is--) {
            errno = 0;
            printf("interrupt %d %d\n", siginterrupt(numbers[i], is), errno);
            ask("then", numbers[i]);
            printf("%s\n", name(signal(numbers[i], first)));
            ask("then", numbers[i]);
        }
        signal(numbers[i], SIG_DFL);
    }
}

/* What is blocked in a handler, which handler is called, how often, and what is left afterwards. */
static sigset_t blocked;

static void look(int number)
{
    delivered = number;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    ask("inside", number);
}

static void run_delivery(void)
{
    struct sigaction action = {.sa_handler = look};

    for (size_t i = 0; i < 5; i++) {
        for (int flags = 0; flags < 8; flags++) {
            uint64_t mask;

            sigemptyset(&action.sa_mask);
            sigaddset(&action.sa_mask, SIGUSR2);
            action.sa_flags =
                (flags & 1 ? SA_NODEFER : 0) | (flags & 2 ? (int)SA_RESETHAND : 0) | (flags & 4 ? SA_SIGINFO : 0);
            sigaction(numbers[i], &action, NULL);
            delivered = 0;
            sigemptyset(&blocked);
            raise(numbers[i]);
            memcpy(&mask, &blocked, sizeof(mask));
            printf("delivered %d, blocked %llx\n", delivered, (unsigned long long)mask);
            ask("after", numbers[i]);
            sigprocmask(SIG_BLOCK, NULL, &blocked);
            memcpy(&mask, &blocked, sizeof(mask));
            printf("blocked %llx\n", (unsigned long long)mask);
        }
        /* Ignored: nothing comes, and what was pending is gone. */
        signal(numbers[i], first);
        sigemptyset(&blocked);
        sigaddset(&blocked, numbers[i]);
        delivered = 0;
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        raise(numbers[i]);
        signal(numbers[i], SIG_IGN);
        signal(numbers[i], first);
        sigprocmask(SIG_UNBLOCK, &blocked, NULL);
        printf("dropped %d\n", delivered);
        signal(numbers[i], SIG_IGN);
        raise(numbers[i]);
        kill(getpid(), numbers[i]);
        printf("ignored %d\n", delivered);
        signal(numbers[i], SIG_DFL);
    }
}

/* A system call is restarted, or not. */
static int pipe_ends[2];

static void *interrupt(void *context)
{
    pthread_t thread = *(pthread_t *)context;
    char byte = 0;

    while (!delivered) {
        pthread_kill(thread, SIGFPE);
        sched_yield();
    }
    if (write(pipe_ends[1], &byte, 1) != 1)
        puts("FAILED");
    return NULL;
}

static void run_restart(void)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        struct sigaction action = {.sa_handler = first, .sa_flags = restarts ? SA_RESTART : 0};
        pthread_t self = pthread_self();
        pthread_t thread;
        ssize_t count;
        int broken = 0;
        char byte;

        if (pipe(pipe_ends) != 0)
            puts("FAILED");
        sigaction(SIGFPE, &action, NULL);
        delivered = 0;
        pthread_create(&thread, NULL, interrupt, &self);
        while ((count = read(pipe_ends[0], &byte, 1)) < 0 && errno == EINTR)
            broken = 1;
        pthread_join(thread, NULL);
        printf("restart %d: %zd, delivered %d%s\n", restarts, count, delivered, restarts && broken ? ", broken" : "");
    }
    signal(SIGFPE, SIG_DFL);
}

/* What a program that is exec'ed finds ignored. */
static void print_ignored(void)
{
    for (size_t i = 0; i < 6; i++)
        ask("inherited", numbers[i]);
}

/* By libc, which makes the child by itself. */
static void run_commands(void)
{
    char command[4096];
    FILE *pipe;

    snprintf(command, sizeof(command), "'%s' inherited", program);
    printf("system %x\n", (unsigned)system(command));
    pipe = popen(command, "r");
    while (pipe && fgets(command, sizeof(command), pipe))
        fputs(command, stdout);
    printf("popen %x\n", (unsigned)pclose(pipe));
    raise(SIGABRT); /* is still ignored */
}

static void run_inheritance(void)
{
    char *arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "inherited", NULL};
    char *none[] = {(char *)(uintptr_t) "/nonexistent", NULL};
    int status = 0;
    pid_t child;

    fflush(stdout);
    signal(SIGFPE, SIG_IGN);
    signal(SIGABRT, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGBUS, first);
    if (posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0)
        waitpid(child, &status, 0);
    printf("spawned %x\n", (unsigned)status);
    fflush(stdout);
    run_commands();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        execv(none[0], none);
        execv(program, arguments);
        _exit(1);
    }
    waitpid(child, &status, 0);
    printf("forked %x\n", (unsigned)status);
    fflush(stdout);
    child = vfork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        signal(SIGILL, SIG_IGN);
        execv(none[0], none);
        execv(program, arguments);
        _exit(1);
    }
    waitpid(child, &status, 0);
    printf("vforked %x\n", (unsigned)status);
    print_ignored();
    execv(none[0], none);
    /* Still caught and ignored after an exec that failed. */
    raise(SIGABRT);
    print_ignored();
    for (size_t i = 0; i < 6; i++)
        signal(numbers[i], SIG_DFL);
}

/* Two threads set and take at the same time. */
static volatile int is_over;

static void *change(void *context)
{
    struct sigaction a = {.sa_handler = first};
    struct sigaction b = {.sa_sigaction = second, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction old;

    (void)context;
    for (int i = 0; i < 20000; i++) {
        sigaction(SIGILL, i % 2 ? &a : &b, &old);
        if (old.sa_handler != first && old.sa_sigaction != second)
            printf("FAILED: %s\n", name(old.sa_handler));
        if ((old.sa_handler == first) != !(old.sa_flags & SA_SIGINFO))
            printf("FAILED: mixed\n");
    }
    return NULL;
}

static void *take(void *context)
{
    (void)context;
    while (!is_over)
        raise(SIGILL);
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[4];

    signal(SIGILL, first);
    pthread_create(&threads[0], NULL, take, NULL);
    pthread_create(&threads[1], NULL, take, NULL);
    pthread_create(&threads[2], NULL, change, NULL);
    pthread_create(&threads[3], NULL, change, NULL);
    pthread_join(threads[2], NULL);
    pthread_join(threads[3], NULL);
    is_over = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    puts("over");
    signal(SIGILL, SIG_DFL);
}

TRACKED void work(void)
{
    run_calls();
    run_delivery();
    run_restart();
    run_inheritance();
    run_threads();
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "inherited") == 0) {
        print_ignored();
        return 0;
    }
    work();
    printf("truth work success=1\n");
    return victim_finish();
}
