/* Dies in a handler of its own: FIRST SECOND BLOCKED STACK THREAD. FIRST and SECOND are faults, named after their
 * signals; the second one is in the handler of the first, in a tracked function. BLOCKED says what is blocked there:
 *
 *   own     the handler's own signal, as it is by default      mask    all, by the action's mask
 *   none    nothing: the handler is called again, and exits    call    all, by pthread_sigmask in the handler
 *   block   all, by sigprocmask, though SA_NODEFER is set      reset   the own signal, and the handler is gone
 *
 * STACK: `own` of the thread, or `other`. THREAD: `main` or `thread`. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "victim.h"

static uintptr_t volatile null_address;
static volatile int zero;
static volatile int answer;
static char *cut_page; /* of a file that has been cut short */
static const char *first = "";
static const char *second = "";
static const char *blocked = "";
static bool is_on_stack;

static void say(const char *line)
{
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(99);
}

static void fault_segv(void)
{
    answer = *(volatile int *)null_address;
}

static void fault_bus(void)
{
    answer = *(volatile char *)cut_page;
}

static void fault_fpe(void)
{
    answer = 7 / zero;
}

static void fault_ill(void)
{
    __asm__ volatile("ud2");
}

static void fault_raise(void)
{
    raise(SIGSEGV);
}

static const struct victim_mode faults[] = {
    {"segv", fault_segv}, {"bus", fault_bus},     {"fpe", fault_fpe},
    {"ill", fault_ill},   {"raise", fault_raise}, {NULL, NULL},
};

static void fault(const char *name)
{
    for (const struct victim_mode *mode = faults; mode->name; mode++)
        if (strcmp(name, mode->name) == 0)
            mode->run();
}

TRACKED void crash_in_handler(void)
{
    fault(second);
    TOUCH();
}

static bool is(const char *what)
{
    return strcmp(blocked, what) == 0;
}

static void handle(int number)
{
    static int calls;
    sigset_t all;

    (void)number;
    if (calls++ > 0) {
        say("handled again\n");
        _exit(41);
    }
    say("handled\n");
    sigfillset(&all);
    if (is("call"))
        pthread_sigmask(SIG_SETMASK, &all, NULL);
    if (is("block"))
        sigprocmask(SIG_BLOCK, &all, NULL);
    crash_in_handler();
    say("went on\n");
}

static void install(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = handle, .sa_flags = is_on_stack ? SA_ONSTACK : 0};

    if (is("mask"))
        sigfillset(&action.sa_mask);
    if (is("none") || is("block"))
        action.sa_flags |= SA_NODEFER;
    if (is("reset"))
        action.sa_flags |= (int)SA_RESETHAND;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
}

static void map_cut_file(void)
{
    int file = memfd_create("cut", MFD_CLOEXEC);

    if (file < 0 || ftruncate(file, 4096) != 0)
        exit(98);
    cut_page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (cut_page == MAP_FAILED || ftruncate(file, 0) != 0)
        exit(98);
}

static void *live(void *context)
{
    static char room[65536];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)};

    if (is_on_stack)
        sigaltstack(&stack, NULL);
    fault(first);
    say("came back\n");
    return context;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    if (argc != 6)
        return 64;
    first = argv[1];
    second = argv[2];
    blocked = argv[3];
    is_on_stack = strcmp(argv[4], "other") == 0;
    map_cut_file();
    install();
    if (strcmp(argv[5], "main") == 0) {
        live(NULL);
    } else {
        pthread_create(&thread, NULL, live, NULL);
        pthread_join(thread, NULL);
    }
    return 0;
}
