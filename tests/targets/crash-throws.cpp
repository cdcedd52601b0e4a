// Ends that C++ knows: exceptions that nobody catches, pure virtual calls; and a program that throws out of its
// handlers.
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "victim.h"

static std::uintptr_t volatile null_address;
static volatile int answer;

TRACKED void crash_here(int way);

struct early {
    virtual ~early() = default;
    virtual void pure() = 0;
    early();
};

static void __attribute__((noinline)) call_pure(early *object)
{
    object->pure();
}

early::early()
{
    call_pure(this);
}

struct late : early {
    void pure() override
    {
        answer = 2;
    }
};

static void __attribute__((noinline)) throws()
{
    throw 1;
}

static void __attribute__((noinline)) never_throws() noexcept
{
    throws();
    TOUCH();
}

TRACKED void crash_here(int way)
{
    switch (way) {
    case 0:
        throw std::runtime_error("nobody catches this");
    case 1: {
        late object;
        break;
    }
    case 2:
        never_throws();
        break;
    case 3:
        std::terminate();
    case 4:
        answer = *reinterpret_cast<volatile int *>(null_address);
        break;
    default:
        break;
    }
    TOUCH();
}

struct kept {
    kept()
    {
        TOUCH();
    }
    ~kept()
    {
        printf("cleaned up\n");
    }
};

static int __attribute__((noinline)) keeps()
{
    kept one;

    return *reinterpret_cast<volatile int *>(null_address);
}

TRACKED int careful(int way)
{
    answer = way;
    return keeps();
}

static void run_cleanup()
{
    printf("%d\n", careful(1));
}
static void run_uncaught()
{
    crash_here(0);
}
static void run_pure()
{
    crash_here(1);
}
static void run_noexcept()
{
    crash_here(2);
}
static void run_terminate()
{
    crash_here(3);
}

static void throw_it(int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    throw number;
}

static void run_thrown()
{
    int caught = 0;

    std::signal(SIGSEGV, throw_it);
    for (int i = 0; i < 100; i++) {
        try {
            crash_here(4);
        } catch (int number) {
            caught += number == SIGSEGV;
        }
    }
    printf("caught %d\n", caught);
    fflush(stdout);
    std::exit(7);
}

static const struct victim_mode modes[] = {
    {"uncaught", run_uncaught}, {"pure", run_pure},       {"noexcept", run_noexcept}, {"terminate", run_terminate},
    {"thrown", run_thrown},     {"cleanup", run_cleanup}, {nullptr, nullptr},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
