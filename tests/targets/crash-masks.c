/* Asks for the mask of its signals in a handler of a fault, in all ways that libc has, and prints what it is told: the
 * same as bare. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>

#include "crash-masks.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

extern char **environ;
extern int __sigpause(int, int);
extern int __xpg_sigpause(int);

/* What is asked in a handler --------------------------------------------------------------------------------------- */

static void change(int how, int number)
{
    sigset_t set;
    sigset_t old;

    sigemptyset(&set);
    if (number > 0)
        sigaddset(&set, number);
    if (number < 0)
        sigfillset(&set);
    printf("change %d %d: %d\n", how, number, sigprocmask(how, &set, &old));
    show("old", &old);
    show_own("new");
}

static void ask(int number, siginfo_t *info, void *context)
{
    sigset_t mask;
    sigset_t all;

    (void)number;
    (void)info;
    show("interrupted", &((ucontext_t *)context)->uc_sigmask);
    show_own("sigprocmask");
    install(SIGBUS, inner, 0, SIGUSR1);
    raise(SIGBUS);
    show_own("behind it");
    change(SIG_BLOCK, SIGUSR1);
    change(SIG_UNBLOCK, SIGUSR1);
    change(SIG_BLOCK, SIGBUS);
    change(SIG_UNBLOCK, SIGSEGV);
    change(SIG_BLOCK, SIGSEGV);
    change(SIG_SETMASK, -1);
    change(SIG_SETMASK, SIGUSR2);
    change(SIG_SETMASK, -1);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    show("pthread_sigmask", &mask);
    sigfillset(&all);
    errno = 0;
    printf("refused %d", sigprocmask(77, &all, NULL));
    printf(" %d\n", errno);
    printf("refused %d\n", pthread_sigmask(-1, &all, NULL));
    show_own("then");
    siglongjmp(escape, 1);
}

/* Each way by itself, in a handler of its own: some let the kernel know. */
static ucontext_t here;
static ucontext_t there;
static char room[65536];
static int way;

static void *show_thread(void *context)
{
    show_kernel("thread");
    return context;
}

static int show_clone(void *context)
{
    (void)context;
    show_kernel("clone");
    return 0;
}

static void come_back(void)
{
    show_kernel("coroutine");
    swapcontext(&there, &here);
}

static void ask_contexts(void)
{
    volatile bool is_back = false;

    getcontext(&here);
    show("getcontext", &here.uc_sigmask);
    if (!is_back) {
        is_back = true;
        sigrelse(SIGSEGV);
        setcontext(&here);
    }
    show_kernel("setcontext");
}

static void ask_coroutine(void)
{
    getcontext(&there);
    there.uc_stack.ss_sp = room;
    there.uc_stack.ss_size = sizeof(room);
    there.uc_link = NULL;
    sigdelset(&there.uc_sigmask, SIGSEGV);
    makecontext(&there, come_back, 0);
    swapcontext(&here, &there);
    show("swapcontext", &here.uc_sigmask);
    show_kernel("kernel");
}

static void ask_jumps(void)
{
    static sigjmp_buf buffer;

    if (sigsetjmp(buffer, 1) == 0) {
        show("sigsetjmp", &buffer[0].__saved_mask);
        change(SIG_UNBLOCK, SIGSEGV);
        siglongjmp(buffer, 1);
    }
    show_own("jumped");
}

static void ask_plain_jump(void)
{
    static jmp_buf buffer;

    if (_setjmp(buffer) == 0)
        longjmp(buffer, 1);
    show_own("jumped plainly");
}

static void ask_older(void)
{
    int (*get_mask)(void);
    sigset_t set;

    sigemptyset(&set);
    printf("sigblock %x\n", (unsigned)sigblock(0));
    *(void **)&get_mask = dlsym(RTLD_DEFAULT, "siggetmask"); /* the linker warns of the name */
    printf("siggetmask %x\n", (unsigned)get_mask());
    printf("sigset %d\n", sigset(SIGFPE, SIG_HOLD) == SIG_HOLD);
    printf("sighold %d\n", sighold(SIGILL));
    show_own("held");
    printf("sigrelse %d\n", sigrelse(SIGSEGV));
    show_own("released");
    printf("sigsetmask %x\n", (unsigned)sigsetmask(0));
    show_own("set");
}

/* Raised while it is blocked: it waits until it is let through, by each of these. */
static void ask_waits(int number)
{
    struct timespec none = {0};
    struct pollfd nothing = {.fd = -1};
    struct epoll_event event;
    sigset_t empty;
    sigset_t pending;
    int fd = epoll_create1(EPOLL_CLOEXEC);

    sigemptyset(&empty);
    install(SIGSEGV, inner, 0, 0);
    raise(SIGSEGV);
    sigpending(&pending);
    show("pending", &pending);
    switch (number) {
    case 0:
        printf("sigsuspend %d\n", sigsuspend(&empty));
        break;
    case 1:
        printf("pselect %d\n", pselect(0, NULL, NULL, NULL, NULL, &empty));
        break;
    case 2:
        printf("ppoll %d\n", ppoll(&nothing, 1, NULL, &empty));
        break;
    case 3:
        printf("epoll_pwait %d\n", epoll_pwait(fd, &event, 1, -1, &empty));
        break;
    case 4:
        printf("__sigpause %d\n", __sigpause(0, 0));
        break;
    case 5:
        printf("__xpg_sigpause %d\n", __xpg_sigpause(SIGSEGV));
        break;
    default:
        sigaddset(&empty, SIGSEGV);
        printf("sigtimedwait %d\n", sigtimedwait(&empty, NULL, &none));
    }
    close(fd);
    sigpending(&pending);
    show("pending", &pending);
}

static void ask_spawned(void)
{
    int status;
    pid_t child;

    if (posix_spawn(&child, inherited[0], NULL, NULL, inherited, environ) == 0)
        waitpid(child, &status, 0);
}

static void ask_children(int number)
{
    char command[256];
    sigset_t set;
    FILE *pipe;
    pid_t child;
    int status;

    snprintf(command, sizeof(command), "%s %s %s", inherited[0], inherited[1], inherited[2]);
    switch (number) {
    case 0:
        ask_spawned();
        break;
    case 1:
        child = fork();
        if (child == 0) {
            show_own("forked");
            execv(inherited[0], inherited);
        }
        waitpid(child, &status, 0);
        break;
    case 2:
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        child = vfork();
        if (child == 0) {
            sigprocmask(SIG_UNBLOCK, &set, NULL);
            execv(inherited[0], inherited);
            _exit(1);
        }
        waitpid(child, &status, 0);
        break;
    case 3:
        printf("system %d\n", system(command));
        break;
    default:
        pipe = popen(command, "r");
        while (pipe && fgets(command, sizeof(command), pipe))
            fputs(command, stdout);
        pclose(pipe);
    }
    show_own("behind the child");
}

static void ask_threads(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, show_thread, NULL);
    pthread_join(thread, NULL);
    waitpid(clone(show_clone, room + sizeof(room), SIGCHLD, NULL), NULL, 0);
    show_own("behind them");
}

static void ask_one_way(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    printf("way %d\n", way);
    switch (way) {
    case 0:
        ask_contexts();
        break;
    case 1:
        ask_coroutine();
        break;
    case 2:
        ask_jumps();
        break;
    case 3:
        ask_plain_jump();
        break;
    case 4:
        ask_older();
        break;
    case 5:
        ask_threads();
        break;
    default:
        if (way < 13)
            ask_waits(way - 6);
        else
            ask_children(way - 13);
    }
    siglongjmp(escape, 1);
}

static void run_asks(void)
{
    run_once(ask, SIGFPE);
    run_once(ask, SIGBUS);
    run_once(ask, 0);
    for (way = 0; way < 18; way++)
        run_once(ask_one_way, SIGFPE);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    printf("truth crash_here abandoned=*\n"); /* a child's too */
}

/* Raised in the handler -------------------------------------------------------------------------------------------- */

static void raise_again(int number, siginfo_t *info, void *context)
{
    printf("call %d code %d from %d\n", ++calls, info->si_code, info->si_code <= 0 && info->si_pid == getpid());
    if (calls == 1)
        raise(number);
    if (calls == 2)
        kill(getpid(), number);
    if (calls == 3)
        sigqueue(getpid(), number, (union sigval){.sival_int = 17});
    if (calls == 4)
        printf("value %d\n", info->si_value.sival_int);
    printf("end of %d\n", calls);
    show("interrupted", &((ucontext_t *)context)->uc_sigmask);
    if (calls == 4)
        siglongjmp(escape, 1);
}

static void run_raises(void)
{
    run_once(raise_again, 0);
    signal(SIGSEGV, SIG_DFL);
    printf("truth crash_here abandoned=1\n");
}

/* Raised before the fault, while it was blocked: it is still pending in the handler. */
static void ask_pending(int number, siginfo_t *info, void *context)
{
    sigset_t pending;

    (void)number;
    (void)info;
    (void)context;
    sigpending(&pending);
    show("pending", &pending);
    show_own("own");
    siglongjmp(escape, 1);
}

static void run_pending(void)
{
    sigset_t set;

    install(SIGBUS, inner, 0, SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGBUS);
    run_once(ask_pending, 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    show_own("let through");
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    printf("truth crash_here abandoned=1\n");
}

/* Sent to the process, where another thread takes it. */
static pthread_t receiver;
static volatile int received;

static void send_to_all(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0) {
        kill(getpid(), number);
        while (!received)
            sched_yield();
        siglongjmp(escape, 1);
    }
    printf("received by the other: %d\n", pthread_equal(pthread_self(), receiver) != 0);
    received = 1;
}

static void *receive(void *context)
{
    receiver = pthread_self();
    pthread_barrier_wait(context);
    while (!received)
        sched_yield();
    return NULL;
}

static void run_others(void)
{
    pthread_barrier_t barrier;
    pthread_t thread;

    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, receive, &barrier);
    pthread_barrier_wait(&barrier);
    run_once(send_to_all, 0);
    pthread_join(thread, NULL);
    signal(SIGSEGV, SIG_DFL);
    printf("truth crash_here abandoned=1\n");
}

/* Sent to the process, all of whose threads have it blocked; others than the program's have time to take it. */
static void run_queued(void)
{
    static const int numbers[] = {SIGSEGV, SIGFPE, SIGBUS, SIGILL};
    struct timespec limit = {.tv_sec = 10};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < 4; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 4; i++) {
        siginfo_t info = {.si_signo = 0};

        sigqueue(getpid(), numbers[i], (union sigval){.sival_int = 17 + i});
        for (int turn = 0; turn < 10000; turn++)
            sched_yield();
        printf("took %d", sigtimedwait(&set, &info, &limit));
        printf(" code %d value %d from %d\n", info.si_code, info.si_value.sival_int, info.si_pid == getpid());
    }
    work();
    printf("truth work success=1\n");
}

/* Sent to the process while a handler has it blocked in a thread that is not the first one, as it is in all others. */
static void send_to_process(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0) {
        kill(getpid(), number);
        for (int turn = 0; turn < 10000; turn++)
            sched_yield();
        printf("sent\n");
        siglongjmp(escape, 1);
    }
    printf("code %d from %d\n", info->si_code, info->si_pid == getpid());
}

/* The same by another process, of whom the handler hears. */
static pid_t sender;

static void have_it_sent(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0) {
        sender = fork();
        if (sender == 0) {
            kill(getppid(), number);
            _exit(0);
        }
        waitpid(sender, NULL, 0);
        printf("sent\n");
        siglongjmp(escape, 1);
    }
    printf("code %d from %d\n", info->si_code, info->si_pid == sender);
}

static void *send_in_handler(void *context)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    run_once(context ? have_it_sent : send_to_process, 0);
    return NULL;
}

static void send_to_second(void *context)
{
    pthread_t thread;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pthread_create(&thread, NULL, send_in_handler, context);
    pthread_join(thread, NULL);
    printf("truth crash_here abandoned=%d\n", context ? 2 : 1); /* the sender's is one as well */
}

static void run_sent(void)
{
    send_to_second(NULL);
}

static void run_sent_by_another(void)
{
    send_to_second(&sender);
}

static const struct victim_mode modes[] = {
    {"asks", run_asks},
    {"raises", run_raises},
    {"pending", run_pending},
    {"others", run_others},
    {"queued", run_queued},
    {"sent", run_sent},
    {"sent-by-another", run_sent_by_another},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
