/* Loads libraries and unloads them, in all the ways there are. The libraries lie beside it. */
#include "victim.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    CALLS = 100,
    CYCLES = 10000,
    FEW_CYCLES = 200,
    THREADS = 4,
    CHILDREN = 3,
    PAGE = 4096,
    SLACK_KIB = 1024,
};

static long cycles = CYCLES;

typedef int (*add_function)(int, int);
typedef int (*value_function)(int);
typedef int (*named_function)(const char *);

static const char *path_of(const char *name)
{
    static _Thread_local char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    path[length > 0 ? length : 0] = '\0';
    strcpy(strrchr(path, '/') + 1, name);
    return path;
}

/* A program that names the loader's variable has a copy of it, of which the loader knows nothing. */
static void ask_loader(void)
{
#ifdef ASKS_LOADER
    CHECK(_r_debug.r_version > 0);
#endif
}

static void *open_late(const char *name)
{
    void *handle = dlopen(path_of(name), RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        printf("FAILED dlopen: %s\n", dlerror());
    CHECK(handle != NULL);
    return handle;
}

static void add(void *handle, int count)
{
    add_function late_add;

    *(void **)&late_add = dlsym(handle, "late_add");
    for (int i = 0; i < count; i++)
        CHECK(late_add(i, 1) == i + 1);
}

static void run_open(void)
{
    ask_loader();
    void *handle = open_late("liblate.so");
    value_function late_read;
    named_function late_named;

    *(void **)&late_read = dlsym(handle, "late_read");
    *(void **)&late_named = dlsym(handle, "late_named");
    add(handle, CALLS);
    for (int i = 0; i < CALLS; i++)
        CHECK(late_read(i) == (i % 3 ? i : -1));
    for (int i = 0; i < CALLS; i++)
        CHECK(late_named(i % 4 ? "often" : "seldom") == (i % 4 ? 5 : 6));
    printf("truth late_add success=%d\n", CALLS);
    printf("truth late_read success=%d\n", CALLS);
    printf("truth late_at_start success=1\n");
    printf("truth late_at_end success=0\n");
}

/* Where the library was, something else lies when it comes back. */
static void *reopen_elsewhere(void *handle)
{
    struct link_map *map;
    char *place;

    CHECK(dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0);
    place = (char *)map->l_addr;
    dlclose(handle);
    CHECK(mmap(place, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == place);
    handle = open_late("liblate.so");
    CHECK(dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0);
    CHECK((char *)map->l_addr != place);
    return handle;
}

static void run_named(void)
{
    void *handle = open_late("liblate.so");
    named_function late_named;

    for (int round = 0; round < 2; round++) {
        *(void **)&late_named = dlsym(handle, "late_named");
        for (int i = 0; i < CALLS; i++)
            CHECK(late_named(i % 4 ? "often" : "seldom") == (i % 4 ? 5 : 6));
        handle = reopen_elsewhere(handle);
    }
}

static void run_elsewhere(void)
{
    void *handle = open_late("liblate.so");

    add(handle, CALLS);
    handle = reopen_elsewhere(handle);
    add(handle, CALLS);
    printf("truth late_add success=%d\n", 2 * CALLS);
    printf("truth late_at_start success=2\n");
    printf("truth late_at_end success=1\n");
}

static void run_gone(void)
{
    void *handle = open_late("liblate.so");

    add(handle, CALLS);
    dlclose(handle);
    printf("truth late_add success=%d\n", CALLS);
    printf("truth late_at_end success=1\n");
}

/* Another library comes to lie where the first one was. */
static void run_replaced(void)
{
    for (int i = 0; i < FEW_CYCLES; i++) {
        void *handle = open_late(i % 2 ? "liblate.so" : "liblate-copy.so");

        add(handle, 1);
        dlclose(handle);
    }
    printf("truth late_add success=%d\n", FEW_CYCLES / 2);
}

static long status_kib(const char *key)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtol(line + strlen(key), NULL, 10);
    if (status)
        fclose(status);
    return kib;
}

static void run_cycles(void)
{
    long rss = 0;
    long size = 0;

    for (long i = 0; i < cycles; i++) {
        void *handle = open_late("liblate.so");

        add(handle, 1);
        dlclose(handle);
        if (i == FEW_CYCLES) {
            rss = status_kib("VmRSS:");
            size = status_kib("VmSize:");
        }
    }
    CHECK(status_kib("VmRSS:") - rss < SLACK_KIB);
    CHECK(status_kib("VmSize:") - size < SLACK_KIB);
    printf("truth late_add success=%ld\n", cycles);
    printf("truth late_at_start success=%ld\n", cycles);
    printf("truth late_at_end success=%ld\n", cycles);
}

static void *open_and_close(void *unused)
{
    (void)unused;
    for (int i = 0; i < FEW_CYCLES; i++) {
        void *handle = open_late("liblate.so");

        add(handle, 1);
        dlclose(handle);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, open_and_close, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("truth late_add success=%d\n", THREADS * FEW_CYCLES);
}

static void *open_once(void *unused)
{
    (void)unused;
    add(open_late("liblate.so"), CALLS);
    return NULL;
}

/* All that a thread may be given is not much: 16 KiB, of which ld.so needs half. */
static void run_small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
    CHECK(pthread_create(&thread, &attributes, open_once, NULL) == 0);
    pthread_join(thread, NULL);
    printf("truth late_add success=%d\n", CALLS);
}

static void run_children(void)
{
    int status;

    fflush(stdout);
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            add(open_late("liblate.so"), CALLS);
            _exit(victim_failures);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        CHECK(wait(&status) > 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    add(open_late("liblate.so"), CALLS);
    printf("truth late_add success=%d\n", (CHILDREN + 1) * CALLS);
    printf("truth late_at_start success=%d\n", CHILDREN + 1);
}

static void run_namespace(void)
{
    void *handle = dlmopen(LM_ID_NEWLM, path_of("liblate.so"), RTLD_NOW);

    CHECK(handle != NULL);
    add(handle, CALLS);
    add(open_late("liblate.so"), CALLS);
    printf("truth late_add success=%d\n", 2 * CALLS);
}

/* As LD_LIBRARY_PATH says: with an empty item, that is the working directory, and the library's path is its name. */
static void run_by_name(void)
{
    void *handle = dlopen("liblate.so", RTLD_NOW);

    CHECK(handle != NULL);
    if (handle)
        add(handle, CALLS);
    printf("truth late_add success=%d\n", CALLS);
    printf("truth late_at_start success=1\n");
}

/* ld.so says that it is about to add something when it has done so already, and nothing else follows. */
static void run_alone(void)
{
    void *handle = dlmopen(LM_ID_NEWLM, path_of("liblate-alone.so"), RTLD_NOW);
    value_function late_alone = NULL;

    CHECK(handle != NULL);
    if (handle)
        *(void **)&late_alone = dlsym(handle, "late_alone");
    for (int i = 0; late_alone && i < CALLS; i++)
        CHECK(late_alone(i) == (i ^ 0x12345678) + 1);
    printf("truth late_alone success=%d\n", CALLS);
}

static void run_dependent(void)
{
    void *handle = open_late("liblate-dependent.so");
    value_function dependent_add;

    *(void **)&dependent_add = dlsym(handle, "dependent_add");
    for (int i = 0; i < CALLS; i++)
        CHECK(dependent_add(i) == i + 1);
    printf("truth late_add success=%d\n", CALLS);
    printf("truth dependent_add success=%d\n", CALLS);
    printf("truth late_at_start success=1\n");
}

/* It is mapped, and then turns out to be unusable. */
static void run_broken(void)
{
    for (int i = 0; i < FEW_CYCLES; i++)
        CHECK(dlopen(path_of("liblate-broken.so"), RTLD_NOW) == NULL);
    CHECK(dlopen("/nonexistent/liblate.so", RTLD_NOW) == NULL);
    add(open_late("liblate.so"), CALLS);
    printf("truth late_add success=%d\n", CALLS);
    printf("truth late_at_start success=1\n");
}

/* IFUNCs are known when the library is relocated, which shows at the next change. */
static void run_picked(void)
{
    void *handle = open_late("liblate.so");
    value_function late_picked;

    open_late("liblate-copy.so");
    *(void **)&late_picked = dlsym(handle, "late_picked");
    for (int i = 0; i < CALLS; i++)
        CHECK(late_picked(i) == i + 1);
    printf("truth late_picked success=%d\n", CALLS);
}

/* zlib is loaded already where callmeter is: its own modules need it. The program loads it by its name, or a library
 * that needs it. */
static void run_shared(void)
{
    void *handle = dlopen("libz.so.1", RTLD_NOW);
    const char *(*version)(void);

    CHECK(handle != NULL);
    *(void **)&version = dlsym(handle, "zlibVersion");
    for (int i = 0; i < CALLS; i++)
        CHECK(version()[0] == '1');
    printf("truth zlibVersion success=%d\n", CALLS);
}

static void run_shared_dependency(void)
{
    void *handle = open_late("liblate-zlib.so");
    unsigned long (*late_sum)(const char *);

    *(void **)&late_sum = dlsym(handle, "late_sum");
    for (int i = 0; i < CALLS; i++)
        CHECK(late_sum("callmeter") == 0x34a51be9);
    printf("truth crc32 success=%d\n", CALLS);
    printf("truth late_sum success=%d\n", CALLS);
}

/* Each of the two libraries has an unwinder of its own, and comes to lie where the other one was. */
static void run_throws(void)
{
    for (int i = 0; i < FEW_CYCLES; i++) {
        void *handle = open_late(i % 2 ? "liblate-throws.so" : "liblate-throws-copy.so");
        value_function late_catch;

        *(void **)&late_catch = dlsym(handle, "late_catch");
        CHECK(late_catch(i) == i);
        dlclose(handle);
        CHECK(dlopen(path_of(i % 2 ? "liblate-throws.so" : "liblate-throws-copy.so"), RTLD_NOW | RTLD_NOLOAD) == NULL);
    }
    printf("truth late_throw error=%d\n", FEW_CYCLES);
}

/* The library was there when callmeter started, and goes nevertheless. */
static void run_early(void)
{
    void **handle = dlsym(RTLD_DEFAULT, "early_handle");

    CHECK(handle != NULL && *handle != NULL);
    add(*handle, CALLS);
    *handle = reopen_elsewhere(*handle);
    add(*handle, CALLS);
    dlclose(*handle);
    printf("truth late_add success=%d\n", 2 * CALLS);
}

static void *handle_left;
static jmp_buf before_leaving;

static void close_and_jump(void)
{
    dlclose(handle_left);
    CHECK(dlopen(path_of("liblate.so"), RTLD_NOW | RTLD_NOLOAD) == NULL);
    longjmp(before_leaving, 1);
}

/* A call in progress that does not return to its library, which is gone. */
static void run_left(void)
{
    int (*late_call)(void (*)(void));

    for (volatile int i = 0; i < FEW_CYCLES; i++) {
        handle_left = open_late("liblate.so");
        *(void **)&late_call = dlsym(handle_left, "late_call");
        if (setjmp(before_leaving) == 0)
            late_call(close_and_jump);
    }
    printf("truth late_call abandoned=%d\n", FEW_CYCLES);
}

/* Faults in a library that came, went, and came back: one is turned into a return, the other one ends the program. */
static void run_crash(void)
{
    value_function late_recover;
    value_function late_crash;

    for (int i = 0; i < 3; i++) {
        void *handle = open_late("liblate.so");

        *(void **)&late_recover = dlsym(handle, "late_recover");
        CHECK(late_recover(0) == -7);
        *(void **)&late_crash = dlsym(handle, "late_crash");
        if (i < 2)
            dlclose(handle);
    }
    fflush(stdout);
    late_crash(0);
}

static void call_relocated(void *handle, const char *name)
{
    long (*function)(void);

    *(void **)&function = dlsym(handle, name);
    for (int i = 0; i < CALLS; i++)
        CHECK(function() == 5);
}

static void run_relocated(void)
{
    void *handle = open_late("liblate-relocated.so");

    open_late("liblate.so");
    call_relocated(handle, "late_moved");
    call_relocated(handle, "late_moved_first");
    printf("truth late_moved success=%d\n", CALLS);
}

/* What a program may look at around dlopen. */
static void run_traces(void)
{
    void *handle;

    errno = EXDEV;
    handle = open_late("liblate.so");
    printf("errno %d\n", errno);
    errno = EXDEV;
    add(handle, 1);
    dlclose(handle);
    printf("errno %d\n", errno);
    printf("truth late_add success=1\n");
}

int main(int argc, char **argv)
{
    const struct victim_mode modes[] = {
        {"open", run_open},
        {"named", run_named},
        {"elsewhere", run_elsewhere},
        {"gone", run_gone},
        {"replaced", run_replaced},
        {"cycles", run_cycles},
        {"threads", run_threads},
        {"children", run_children},
        {"namespace", run_namespace},
        {"alone", run_alone},
        {"by-name", run_by_name},
        {"dependent", run_dependent},
        {"broken", run_broken},
        {"picked", run_picked},
        {"traces", run_traces},
        {"shared", run_shared},
        {"early", run_early},
        {"small-stack", run_small_stack},
        {"relocated", run_relocated},
        {"left", run_left},
        {"crash", run_crash},
        {"throws", run_throws},
        {"shared-dependency", run_shared_dependency},
        {NULL, NULL},
    };

    if (argc > 2)
        cycles = strtol(argv[2], NULL, 10);
    return victim_main(argc, argv, modes);
}
