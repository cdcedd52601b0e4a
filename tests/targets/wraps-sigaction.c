/* A program with functions of its own in the place of libc's, which call those that come next. Erlang's machine has
 * these, to put each handler on the alternate stack. */
#include "victim.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int (*sigaction_function)(int, const struct sigaction *, struct sigaction *);

static int wrapped;
static volatile sig_atomic_t handled;

TRACKED int work(int value)
{
    TOUCH();
    return value * 7 + 1;
}

/* Both lead to the inner of libc's names. */
static int wrap(int signal, const struct sigaction *action, struct sigaction *old)
{
    static sigaction_function next;

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "__sigaction");
    wrapped++;
    if (wrapped > 1000)
        abort();
    return next(signal, action, old);
}

int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);

TRACKED int __sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    return wrap(signal, action, old);
}

TRACKED int sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    return wrap(signal, action, old);
}

static void handle(int signal)
{
    handled += signal;
}

static void handle_one(int signal)
{
    struct sigaction action = {.sa_handler = handle};
    struct sigaction found;

    CHECK(sigaction(signal, &action, NULL) == 0);
    CHECK(sigaction(signal, NULL, &found) == 0);
    CHECK(found.sa_handler == handle);
    raise(signal);
}

int main(void)
{
    handle_one(SIGUSR1);
    handle_one(SIGSEGV);
    printf("handled %d, wrapped %d\n", (int)handled, wrapped);
    for (int i = 0; i < 10; i++)
        CHECK(work(i) == i * 7 + 1);
    puts("truth work success=10");
    return victim_finish();
}
