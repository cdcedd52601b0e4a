/* A program that limits its own address space, as servers do for their sessions, and looks at the limit. */
#include "victim.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   (UINT64_C(1) << 20)
#define LIMIT (200 * MIB)
#define MORE  (100 * MIB)
#define MUCH  (UINT64_C(1) << 36)

TRACKED int work(int value)
{
    TOUCH();
    return value * 7 + 1;
}

static const char *ability(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return strerrorname_np(errno);
    munmap(memory, bytes);
    return "mapped";
}

static void show(const char *when)
{
    struct rlimit limit;
    struct rlimit other;

    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(prlimit(getpid(), RLIMIT_AS, NULL, &other) == 0);
    CHECK(memcmp(&limit, &other, sizeof(limit)) == 0);
    printf("%s: %jd of %jd; more: %s, much: %s\n", when, (intmax_t)limit.rlim_cur, (intmax_t)limit.rlim_max,
           ability(MORE), ability(MUCH));
}

static void change(const char *what, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};
    int result = setrlimit(RLIMIT_AS, &limit);

    printf("%s: %s\n", what, result == 0 ? "done" : strerrorname_np(errno));
    show(what);
}

/* A call of exec that fails leaves the limit as it was, in the kernel too. */
static void fail_to_become_another(void)
{
    char *nothing[] = {NULL};

    CHECK(execv("/nonexistent", nothing) == -1 && errno == ENOENT);
    show("after a failure");
}

static void limit_in_child(void)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        change("hard limit", LIMIT, LIMIT);
        fail_to_become_another();
        change("lower", LIMIT - MIB, LIMIT);
        change("back", LIMIT, LIMIT);
        change("wrong", LIMIT, LIMIT - MIB);
        fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Memory that may be written, in an amount that bare programs hardly have. */
static void limit_data(void)
{
    struct rlimit limit = {4 * MIB, RLIM_INFINITY};
    void *memory;

    CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
    CHECK(getrlimit(RLIMIT_DATA, &limit) == 0);
    memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("data: %jd, %s\n", (intmax_t)limit.rlim_cur, memory == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
}

/* Both ways at once, and bad pointers. */
static void ask_strangely(void)
{
    struct rlimit limit = {LIMIT, RLIM_INFINITY};
    struct rlimit *nowhere = (struct rlimit *)(uintptr_t)16;

    CHECK(prlimit(0, RLIMIT_AS, &limit, &limit) == 0);
    printf("exchanged for: %jd\n", (intmax_t)limit.rlim_cur);
    printf("nothing: %d\n", prlimit(0, RLIMIT_AS, NULL, NULL));
    errno = 0;
    printf("from nowhere: %d", prlimit(0, RLIMIT_AS, nowhere, NULL));
    printf(" %s\n", strerrorname_np(errno));
    errno = 0;
    printf("to nowhere: %d", prlimit(0, RLIMIT_AS, NULL, nowhere));
    printf(" %s\n", strerrorname_np(errno));
}

/* The program that follows has the soft limit that was asked for. */
static void become_another(void)
{
    char *shell[] = {"sh", "-c", "ulimit -S -v", NULL};
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        fail_to_become_another();
        fflush(stdout);
        execv("/bin/sh", shell);
        _exit(1);
    }
    CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
    show("at first");
    limit_in_child();
    change("soft limit", LIMIT, RLIM_INFINITY);
    ask_strangely();
    limit_data();
    become_another();
    change("no limit", RLIM_INFINITY, RLIM_INFINITY);
    for (int i = 0; i < 10; i++)
        CHECK(work(i) == i * 7 + 1);
    puts("truth work success=10");
    return victim_finish();
}
