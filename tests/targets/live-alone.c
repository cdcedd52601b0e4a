/* One thread of the program's, in a process that gave up root and cannot be dumped any more, loads libraries; in the
 * mode `ring` beside a thread that the kernel has made for io_uring, in a process that can be dumped. Says which are
 * called. */
#include "victim.h"

#include <dlfcn.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
    LIBRARIES = 4,
    CALLS = 100,
    NOBODY = 65534,
    IDLE_MS = 1000000,
};

static void be_undumpable(void)
{
    if (geteuid() == 0)
        CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
}

/* A library's function, which is picked when it is loaded, is patched once the next one is. */
static void load_and_call(void)
{
    int (*picked[LIBRARIES])(int);
    char text[64];

    for (int number = 1; number <= LIBRARIES; number++) {
        void *library;

        snprintf(text, sizeof(text), "liblive-picked-%d.so", number);
        library = dlopen(text, RTLD_NOW);
        CHECK(library != NULL);
        snprintf(text, sizeof(text), "live_picked_%d", number);
        *(void **)&picked[number - 1] = library ? dlsym(library, text) : NULL;
        CHECK(picked[number - 1] != NULL);
    }
    for (int number = 1; number < LIBRARIES; number++) {
        for (int i = 0; i < CALLS; i++)
            picked[number - 1](i);
        printf("truth live_picked_%d success=%d\n", number, CALLS);
    }
}

static void run_undumpable(void)
{
    be_undumpable();
    load_and_call();
}

static void run_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = IDLE_MS};

    if (syscall(SYS_io_uring_setup, 4, &params) < 0)
        puts("no ring");
    load_and_call();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"undumpable", run_undumpable}, {"ring", run_ring}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
