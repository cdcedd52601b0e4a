/* Handlers of a fault on alternate stacks that have room for one signal's frame and little else. Each ends a child in
 * another way; the parent tells how, and whether anything was written below the stack. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "victim.h"

enum {
    BELOW_BYTES = 16384,
};

static uintptr_t volatile null_address;
static volatile int answer;
static sigjmp_buf escape;
static unsigned char *below; /* shared with the children; the stack follows */
static const char *way;

TRACKED void fault(void)
{
    answer = *(volatile int *)null_address;
    TOUCH();
}

/* What the kernel puts on the stack of a handler; how much that is depends on the processor's registers. */
static size_t frame_bytes(void)
{
    return getauxval(AT_MINSIGSTKSZ);
}

static bool is_way(const char *name)
{
    return strcmp(way, name) == 0;
}

static void handle(int number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    if (write(STDOUT_FILENO, "handled\n", 8) != 8 || is_way("exit"))
        _exit(3);
    if (is_way("jump"))
        siglongjmp(escape, 1);
    if (is_way("abort"))
        abort();
    if (is_way("raise"))
        raise(SIGFPE);
    if (is_way("again"))
        raise(number);
    if (is_way("default")) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (is_way("kill"))
        kill(getpid(), SIGILL);
    if (is_way("fault"))
        fault();
    if (is_way("again"))
        _exit(4);
}

static void child(size_t bytes, int signal_number)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = below + BELOW_BYTES, .ss_size = bytes};

    CHECK(sigaltstack(&stack, NULL) == 0);
    sigaction(signal_number, &action, NULL);
    if (sigsetjmp(escape, 1) != 0)
        _exit(5);
    if (signal_number == SIGSEGV)
        fault();
    else
        raise(signal_number);
    _exit(6);
}

static void show(const char *name, size_t more, int signal_number)
{
    size_t bytes = frame_bytes() + more;
    size_t touched = 0;
    int status = 0;
    pid_t pid;

    way = name;
    memset(below, 0x5A, BELOW_BYTES);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        child(bytes, signal_number);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < BELOW_BYTES; i++)
        touched += below[i] != 0x5A;
    printf("%s, %zu more, signal %d: status %x, %zu bytes below\n", name, more, signal_number, (unsigned)status,
           touched);
}

/* What the stack has besides the frame of one signal, by the first argument. */
static size_t more_bytes(const char *word)
{
    if (strcmp(word, "little") == 0)
        return 1024;
    if (strcmp(word, "less") == 0)
        return frame_bytes() * 3 / 4;
    return frame_bytes() + 8192;
}

/* The argument: `little`, `less` than a second frame, or room for `another` one and its handler. */
int main(int argc, char **argv)
{
    static const char *const ways[] = {"exit", "jump", "return", "abort", "raise", "again", "default", "kill", "fault"};
    size_t more = more_bytes(argc > 1 ? argv[1] : "another");

    below = mmap(NULL, BELOW_BYTES + 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(ways[i], "return") != 0)
            show(ways[i], more, SIGSEGV);
        show(ways[i], more, SIGBUS);
    }
    return victim_failures;
}
