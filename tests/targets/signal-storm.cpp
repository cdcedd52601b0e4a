/* Handlers that call tracked functions, as fast as a timer can, while libraries come and go, exceptions fly, children
 * are forked and threads are made: whatever they interrupt, their calls count. */
#include "victim.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

enum {
    INTERVAL_US = 100,
    WORKERS = 2, /* of each kind */
    LIBRARIES = 3,
    LOADS = 150, /* of each worker */
    CALLS = 20,  /* between two of what a worker does */
    THROWS = 4000,
    FORKS = 60,
    THREADS = 300,
};

/* Of all processes. */
struct truths {
    long handled;
    long plain;
    long thrown;
    long caught;
    long library[LIBRARIES + 1];
};

static struct truths *truths;
static std::string directory;

static void add(long *counter, long value)
{
    __atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

extern "C" {

TRACKED int in_handler(int value)
{
    TOUCH();
    return value;
}

TRACKED int plain(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int throws(int value)
{
    TOUCH();
    if (value % 2)
        throw std::runtime_error("odd");
    return value;
}
}

static void handle(int number)
{
    int saved_errno = errno;

    in_handler(number);
    add(&truths->handled, 1);
    errno = saved_errno;
}

static void call_plain(int count)
{
    for (int i = 0; i < count; i++)
        plain(i);
    add(&truths->plain, count);
}

static void load_one(int number)
{
    std::string path = directory + "/libstorm" + std::to_string(number) + ".so";
    std::string name = "storm_outer_" + std::to_string(number);
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    int (*outer)(int);

    CHECK(library != nullptr);
    if (!library)
        return;
    outer = reinterpret_cast<int (*)(int)>(dlsym(library, name.c_str()));
    for (int i = 0; i < CALLS; i++)
        CHECK(outer(i) == (i + number) * 2);
    add(&truths->library[number], CALLS);
    dlclose(library);
}

static void *load(void *first)
{
    for (long i = 0; i < LOADS; i++)
        load_one(static_cast<int>((i + reinterpret_cast<long>(first)) % LIBRARIES + 1));
    return nullptr;
}

static void *fly(void *)
{
    for (int i = 0; i < THROWS; i++) {
        try {
            throws(i);
            add(&truths->thrown, 1);
        } catch (const std::runtime_error &) {
            add(&truths->caught, 1);
        }
    }
    return nullptr;
}

static void *bear(void *)
{
    for (int i = 0; i < FORKS; i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            call_plain(CALLS);
            _exit(0);
        }
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        CHECK(child > 0 && status == 0);
    }
    return nullptr;
}

static void *call_once(void *)
{
    call_plain(CALLS);
    return nullptr;
}

static void *breed(void *)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;

        CHECK(pthread_create(&thread, nullptr, call_once, nullptr) == 0 && pthread_join(thread, nullptr) == 0);
    }
    return nullptr;
}

/* `kinds` ends with NULL. */
static void storm(void *(*const *kinds)(void *))
{
    struct itimerval timer = {{0, INTERVAL_US}, {0, INTERVAL_US}};
    struct itimerval none = {};
    struct sigaction action = {};
    pthread_t threads[8];
    long count = 0;

    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    setitimer(ITIMER_REAL, &timer, nullptr);
    for (; *kinds; kinds++)
        for (int i = 0; i < WORKERS; i++, count++)
            CHECK(pthread_create(&threads[count], nullptr, *kinds, reinterpret_cast<void *>(count)) == 0);
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], nullptr);
    setitimer(ITIMER_REAL, &none, nullptr);
}

static void tell(void)
{
    printf("truth in_handler success=%ld\n", truths->handled);
    if (truths->plain)
        printf("truth plain success=%ld\n", truths->plain);
    if (truths->thrown)
        printf("truth throws success=%ld error=%ld\n", truths->thrown, truths->caught);
    for (int i = 1; i <= LIBRARIES; i++)
        if (truths->library[i])
            printf("truth storm_outer_%d success=%ld\ntruth storm_inner_%d success=%ld\n", i, truths->library[i], i,
                   truths->library[i]);
}

static void libraries(void)
{
    static void *(*const kinds[])(void *) = {load, nullptr};

    storm(kinds);
    tell();
}

static void exceptions(void)
{
    static void *(*const kinds[])(void *) = {fly, load, nullptr};

    storm(kinds);
    tell();
}

static void everything(void)
{
    static void *(*const kinds[])(void *) = {load, fly, bear, breed, nullptr};

    storm(kinds);
    tell();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"libraries", libraries}, {"exceptions", exceptions}, {"everything", everything}, {nullptr, nullptr}};
    std::string path = argv[0];

    directory = dirname(&path[0]);
    truths = static_cast<struct truths *>(
        mmap(nullptr, sizeof(struct truths), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    return victim_main(argc, argv, modes);
}
