// Threads with the smallest stacks there are, whose first and only tracked call is of each kind: it returns, throws, is
// judged by errno, has strings as labels, is made by a signal handler or by a destructor. Tells on standard error how
// much of its stack each thread used: what a guest adds to that is bounded.
#include "victim.h"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int fail(int value)
{
    TOUCH();
    errno = ENOENT;
    return -value;
}

TRACKED int answer(const char *table, double share, int value)
{
    TOUCH();
    return value + (table == nullptr) + (share > 1);
}

TRACKED int complain(int value)
{
    TOUCH();
    if (value > 0)
        throw std::runtime_error("no");
    return value;
}

struct last_words {
    ~last_words()
    {
        work(1);
    }
};

static void handle(int)
{
    work(1);
}

static void run_work()
{
    work(1);
}

static void run_fail()
{
    CHECK(fail(1) == -1 && errno == ENOENT);
}

static void run_labels()
{
    char table[] = "customers";

    CHECK(answer(table, 0.5, 1) == 1);
}

static void run_throw()
{
    bool is_caught = false;

    try {
        complain(1);
    } catch (const std::runtime_error &) {
        is_caught = true;
    }
    CHECK(is_caught);
}

static void run_handler()
{
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
}

// A signal that is claimed for panics.
static void run_fault_handler()
{
    CHECK(raise(SIGFPE) == 0);
}

static void run_destructor()
{
    thread_local last_words words;

    (void)&words;
}

struct kind {
    const char *name;
    void (*run)();
};

static const struct kind kinds[] = {
    {"work", run_work},
    {"fail", run_fail},
    {"labels", run_labels},
    {"throw", run_throw},
    {"handler", run_handler},
    {"fault-handler", run_fault_handler},
    {"destructor", run_destructor},
};

static const unsigned char PAINT = 0x5a;

static void *run(void *argument)
{
    static_cast<const struct kind *>(argument)->run();
    return nullptr;
}

// The stack is the caller's memory, so it can be looked at when the thread is gone.
static size_t measure(const struct kind *kind)
{
    static unsigned char stack[64 * 1024] __attribute__((aligned(4096)));
    size_t bytes = PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;

    memset(stack, PAINT, sizeof(stack));
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack + sizeof(stack) - bytes, bytes) == 0);
    CHECK(pthread_create(&thread, &attributes, run, const_cast<struct kind *>(kind)) == 0);
    CHECK(pthread_join(thread, nullptr) == 0);
    pthread_attr_destroy(&attributes);
    while (untouched < sizeof(stack) && stack[untouched] == PAINT)
        untouched++;
    return sizeof(stack) - untouched;
}

static void all()
{
    run_throw(); // what libgcc sets up at the first exception is not a thread's
    for (const struct kind &kind : kinds)
        fprintf(stderr, "depth %s %zu\n", kind.name, measure(&kind));
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", all}, {nullptr, nullptr}};
    struct sigaction action = {};

    action.sa_handler = handle;
    sigaction(SIGUSR1, &action, nullptr);
    sigaction(SIGFPE, &action, nullptr);
    return victim_main(argc, argv, modes);
}
