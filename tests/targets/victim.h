/* What the victim programs share: small programs with a tracked function or two, which know what they did.
 *
 * A victim is called with the name of a mode. It prints `truth FUNCTION OUTCOME=N ...` for each function that is meant
 * to be tracked (outcomes that are not named are 0; `active=N` for calls still in progress, `OUTCOME=*` where any
 * number is right), then `done`, and waits for the end of its standard input, so that it can be scraped. Every other
 * line must be the same as in a run without callmeter. The exit status is the number of CHECKs that failed. */
#ifndef CALLMETER_TESTS_VICTIM_H
#define CALLMETER_TESTS_VICTIM_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __clang__
#define TRACKED __attribute__((noinline, visibility("default")))
#else
#define TRACKED __attribute__((noinline, noclone, visibility("default")))
#endif

/* Keeps the compiler from merging, reordering or tail-calling across it. */
#define TOUCH() __asm__ volatile("" ::: "memory")

#define CHECK(condition) victim_check((condition), __FILE__, __LINE__, #condition)

struct victim_mode {
    const char *name;
    void (*run)(void);
};

static int victim_failures __attribute__((unused));

static inline void victim_check(int holds, const char *file, int line, const char *text)
{
    if (holds)
        return;
    victim_failures++;
    printf("FAILED %s:%d: %s\n", file, line, text);
}

/* Says that the work is done, and waits to be released. Returns the exit status. */
static inline int victim_finish(void)
{
    char byte;

    puts("done");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return victim_failures;
}

/* Runs the mode named by the first argument; `modes` ends with a NULL name. */
static inline int victim_main(int argc, char **argv, const struct victim_mode *modes)
{
    const struct victim_mode *mode;

    for (mode = modes; mode->name; mode++) {
        if (argc > 1 && !strcmp(argv[1], mode->name)) {
            mode->run();
            return victim_finish();
        }
    }
    fprintf(stderr, "usage: %s MODE; modes:", argv[0]);
    for (mode = modes; mode->name; mode++)
        fprintf(stderr, " %s", mode->name);
    fputc('\n', stderr);
    return 64;
}

#endif
