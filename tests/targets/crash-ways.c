/* Dies in the way that its arguments name: WAY THREAD HANDLER [early]. The fault is in `crash_here`, two calls deep in
 * tracked functions. HANDLER is what the program itself does about the signal. With `early` it is installed before the
 * constructors of any library, so before callmeter starts. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "victim.h"

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static const char *way = "";
static const char *handler_name = "none";
static sigjmp_buf escape;
static volatile int zero;
static volatile int seven = 7;
static volatile int answer; /* of what is done, so that it is done */
static uintptr_t volatile null_address;
static volatile uintptr_t wild_address = 0x123456789000;
static volatile uintptr_t strange_address = 0x8000000000000000;
static const int constant = 1;
static char *cut_page; /* of a file that has been cut short */
static volatile char text[] = "0123456789012345678901234567890123456789";

static void say(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(99);
}

/* The ways --------------------------------------------------------------------------------------------------------- */

static void way_null(void)
{
    answer = *(volatile int *)null_address;
}

static void way_wild(void)
{
    *(volatile int *)wild_address = 1;
}

static void way_strange(void)
{
    *(volatile int *)strange_address = 1;
}

static void way_call_null(void)
{
    ((void (*)(void))null_address)();
}

static void way_constant(void)
{
    *(volatile int *)(uintptr_t)&constant = 2;
}

static void way_cut_file(void)
{
    answer = *(volatile char *)cut_page;
}

static void way_division(void)
{
    answer = seven / zero;
}

static void way_ud2(void)
{
    __asm__ volatile("ud2");
}

static void way_abort(void)
{
    abort();
}

static void way_assert(void)
{
    assert(zero == 1);
}

static void way_fortify(void)
{
    char small[16];

    __strcpy_chk(small, (const char *)(uintptr_t)text, sizeof(small));
    answer = small[3];
}

static void __attribute__((noinline)) way_smash(void)
{
    volatile char small[16];

    for (unsigned i = 0; i < sizeof(text) - 1; i++)
        ((volatile char *)small)[i + (unsigned)zero] = text[i];
    answer = small[3];
}

static int __attribute__((noinline)) sink(int depth)
{
    volatile char room[1024];

    room[depth % 1024] = (char)depth;
    return depth == INT32_MAX ? 0 : sink(depth + 1) + room[(depth + 1) % 1024];
}

static void way_overflow(void)
{
    answer = sink(0);
}

static void way_double_free(void)
{
    char *volatile block = malloc(64);

    free(block);
    *(volatile uintptr_t *)(uintptr_t)&block[8] += 0;
    free(block);
}

static void way_raise(void)
{
    raise(SIGSEGV);
}

static void way_raise_abort(void)
{
    raise(SIGABRT);
}

static void way_kill_self(void)
{
    kill(getpid(), SIGBUS);
}

static void way_tgkill(void)
{
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGILL);
}

/* From another process, which was there before and says when it has done it. */
static int killer[2];

static void way_outside(void)
{
    char byte = 0;

    if (write(killer[0], &byte, 1) != 1)
        _exit(97);
    while (read(killer[0], &byte, 1) < 0 && errno == EINTR)
        ;
}

static void start_killer(void)
{
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, killer) != 0)
        _exit(97);
    if (fork() == 0) {
        close(killer[0]);
        if (read(killer[1], &byte, 1) == 1)
            kill(getppid(), SIGSEGV);
        _exit(0);
    }
    close(killer[1]);
}

/* The program's handlers ------------------------------------------------------------------------------------------- */

static volatile int crashes;

static void handler_exit(int number)
{
    (void)number;
    say("handled\n");
    _exit(42);
}

/* What is registered with atexit must run, and only once. */
static void handler_exit_slowly(int number)
{
    (void)number;
    say("handled\n");
    exit(43);
}

static void handler_default(int number)
{
    say("handled\n");
    signal(number, SIG_DFL);
}

static void handler_return(int number)
{
    (void)number;
    say("handled\n");
}

static void handler_raise(int number, siginfo_t *info, void *context)
{
    (void)context;
    say(info->si_signo == number ? "handled\n" : "confused\n");
    signal(number, SIG_DFL);
    raise(number);
}

static void handler_jump(int number)
{
    (void)number;
    siglongjmp(escape, 1);
}

/* Crashes itself, with the signal blocked: the kernel does not even ask. */
static void handler_crash(int number)
{
    (void)number;
    if (crashes++ == 0)
        say("handled\n");
    answer = *(volatile int *)null_address;
}

static void handler_abort(int number)
{
    (void)number;
    if (crashes++ == 0)
        say("handled\n");
    abort();
}

static void install(int number)
{
    static const struct {
        const char *name;
        void (*function)(int);
        int flags; /* -1: by signal(3) */
    } handlers[] = {
        {"signal-exit", handler_exit, -1},
        {"signal-slow-exit", handler_exit_slowly, -1},
        {"signal-default", handler_default, -1},
        {"siginfo-raise", (void (*)(int))(void (*)(void))handler_raise, SA_SIGINFO | SA_ONSTACK},
        {"reset", handler_return, (int)SA_RESETHAND | SA_ONSTACK},
        {"jump", handler_jump, SA_ONSTACK},
        {"ignore", SIG_IGN, -1},
        {"crash", handler_crash, SA_ONSTACK},
        {"abort", handler_abort, SA_ONSTACK | SA_NODEFER},
    };
    struct sigaction action = {0};

    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (strcmp(handler_name, handlers[i].name) != 0)
            continue;
        if (handlers[i].function == handler_abort && number == SIGABRT)
            return;
        if (handlers[i].flags == -1) {
            signal(number, handlers[i].function);
            return;
        }
        action.sa_handler = handlers[i].function;
        action.sa_flags = handlers[i].flags;
        sigaction(number, &action, NULL);
        return;
    }
}

static void install_all(void)
{
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        install(signals[i]);
}

/* Before all constructors; arguments are handed over by glibc. */
static void install_early(int argc, char **argv, char **variables)
{
    (void)variables;
    if (argc < 5 || strcmp(argv[4], "early") != 0)
        return;
    handler_name = argv[3];
    install_all();
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(int, char **, char **) = install_early;

/* The crash -------------------------------------------------------------------------------------------------------- */

static const struct victim_mode ways[] = {
    {"null", way_null},           {"wild", way_wild},
    {"strange", way_strange},     {"call-null", way_call_null},
    {"constant", way_constant},   {"cut-file", way_cut_file},
    {"division", way_division},   {"ud2", way_ud2},
    {"abort", way_abort},         {"assert", way_assert},
    {"fortify", way_fortify},     {"smash", way_smash},
    {"overflow", way_overflow},   {"double-free", way_double_free},
    {"raise", way_raise},         {"raise-abort", way_raise_abort},
    {"kill-self", way_kill_self}, {"tgkill", way_tgkill},
    {"outside", way_outside},     {NULL, NULL},
};

TRACKED void crash_here(void)
{
    for (const struct victim_mode *mode = ways; mode->name; mode++)
        if (strcmp(way, mode->name) == 0)
            mode->run();
    TOUCH();
}

TRACKED void serve(void)
{
    crash_here();
    TOUCH();
}

static void *live(void *context)
{
    sigset_t none;

    (void)context;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (sigsetjmp(escape, 1) == 0) {
        serve();
        say("went on\n");
    } else {
        say("survived\n");
    }
    return NULL;
}

/* What is sent to the process is for that thread. */
static void live_in_thread(void)
{
    pthread_t thread;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_create(&thread, NULL, live, NULL);
    pthread_join(thread, NULL);
}

static void map_cut_file(void)
{
    int file = memfd_create("cut", MFD_CLOEXEC);

    if (file < 0 || ftruncate(file, 4096) != 0)
        exit(98);
    cut_page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (cut_page == MAP_FAILED || ftruncate(file, 0) != 0)
        exit(98);
    close(file);
}

static void at_exit(void)
{
    say("at exit\n");
}

int main(int argc, char **argv)
{
    static char room[65536];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};

    if (argc < 4)
        return 64;
    way = argv[1];
    handler_name = argv[3];
    map_cut_file();
    atexit(at_exit);
    if (argc < 5)
        install_all();
    if (strcmp(way, "outside") == 0)
        start_killer();
    if (strcmp(argv[2], "thread") == 0) {
        live_in_thread();
    } else {
        if (strcmp(handler_name, "none") != 0)
            sigaltstack(&stack, NULL);
        live(NULL);
    }
    return 0;
}
