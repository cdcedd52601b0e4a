/* errno where the program begins: in the constructors of a library that come before all others, in those of the
 * program, at main, and when it ends. Each says what it finds, and leaves a value of its own for the next one. The
 * library, with LIBRARY defined, is loaded before the preload object is. */
#include <errno.h>
#include <stdio.h>

#include "victim.h"

#ifdef LIBRARY

TRACKED int first_errno(void);

static int found;

__attribute__((constructor)) static void begin(void)
{
    found = errno;
    errno = EXDEV;
}

/* After those of the preload object. */
__attribute__((destructor)) static void end(void)
{
    printf("at the library's end: %d\n", errno);
}

TRACKED int first_errno(void)
{
    return found;
}

#else

int first_errno(void);

static int at_preinit;
static int at_constructor;
static int at_main;

static void look_first(void)
{
    at_preinit = errno;
    errno = EDOM;
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = look_first;

__attribute__((constructor)) static void begin(void)
{
    at_constructor = errno;
    errno = ERANGE;
}

__attribute__((destructor)) static void end(void)
{
    printf("at the program's end: %d\n", errno);
    errno = ELOOP;
}

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

/* The first call makes the thread's lane. */
static void run_all(void)
{
    int call;

    errno = EPIPE;
    CHECK(work(1) == 2);
    call = errno;
    printf("before all: %d\nin the library: %d\nin the constructor: %d\n", at_preinit, first_errno(), at_constructor);
    printf("at main: %d\nbehind the first call: %d\ntruth work success=1\n", at_main, call);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", run_all}, {NULL, NULL}};
    int failures;

    at_main = errno;
    failures = victim_main(argc, argv, modes);
    errno = ENXIO;
    return failures;
}

#endif
