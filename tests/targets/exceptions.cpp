// Throws C++ exceptions through tracked frames, in every way that programs do.
#include "victim.h"

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <unwind.h>
#include <vector>

namespace
{

int destroyed;

struct guard {
    ~guard()
    {
        destroyed++;
    }
};

} // namespace

struct thing {
    TRACKED explicit thing(int value);
    TRACKED ~thing();
    virtual TRACKED int act(int value);
    int kept;
};

thing::thing(int value) : kept(value)
{
    TOUCH();
    if (value % 2)
        throw std::runtime_error("odd thing");
}

thing::~thing()
{
    TOUCH();
}

int thing::act(int value)
{
    if (value % 3 == 0)
        throw value;
    return value + kept;
}

TRACKED int leaf(int value)
{
    TOUCH();
    if (value % 2)
        throw std::runtime_error("odd");
    return value;
}

TRACKED int middle(int value)
{
    guard cleanup;
    int result = leaf(value);

    TOUCH();
    return result + 1;
}

TRACKED int outer(int value)
{
    try {
        return middle(value);
    } catch (const std::runtime_error &) {
        return -1;
    }
}

TRACKED int rethrower(int value)
{
    try {
        return middle(value) + 1;
    } catch (const std::exception &) {
        TOUCH();
        throw;
    }
}

// The sibling call leaves this frame before the callee runs: two records, one stack frame.
TRACKED int tail_first(int value)
{
    TOUCH();
    return leaf(value + 1);
}

TRACKED int tail_second(int value)
{
    TOUCH();
    return tail_first(value + 1);
}

TRACKED int replacer(int value)
{
    try {
        return middle(value);
    } catch (const std::runtime_error &error) {
        throw std::string(error.what()) + ", replaced";
    }
}

TRACKED int fragile(int value) noexcept
{
    return middle(value) + 1;
}

TRACKED int walk_stack(int depth)
{
    TOUCH();
    if (depth > 0) {
        int deeper = walk_stack(depth - 1);

        TOUCH();
        return deeper;
    }

    int frames = 0;
    auto visit = [](struct _Unwind_Context *context, void *counter) {
        ++*static_cast<int *>(counter);
        return _Unwind_GetIP(context) ? _URC_NO_REASON : _URC_END_OF_STACK;
    };
    _Unwind_Backtrace(visit, &frames);
    return frames;
}

static void throws()
{
    int caught = 0;

    for (int i = 0; i < 100000; i++)
        caught += outer(i) == -1;
    CHECK(caught == 50000);
    CHECK(destroyed == 100000);
    printf("truth outer success=100000\n");
    printf("truth middle success=50000 error=50000\n");
    printf("truth leaf success=50000 error=50000\n");
}

static void direct()
{
    int caught = 0;

    for (int i = 0; i < 1000; i++) {
        try {
            leaf(i);
        } catch (const std::runtime_error &error) {
            caught += !strcmp(error.what(), "odd");
        }
    }
    CHECK(caught == 500);
    printf("truth leaf success=500 error=500\n");
}

static void rethrown()
{
    int caught = 0;

    for (int i = 0; i < 1000; i++) {
        try {
            rethrower(i);
        } catch (const std::runtime_error &) {
            caught++;
        }
        try {
            replacer(i);
        } catch (const std::string &text) {
            caught += text == "odd, replaced";
        }
    }
    CHECK(caught == 1000);
    CHECK(destroyed == 2000);
    printf("truth rethrower success=500 error=500\n");
    printf("truth replacer success=500 error=500\n");
    printf("truth middle success=1000 error=1000\n");
    printf("truth leaf success=1000 error=1000\n");
}

namespace
{

// Throws and catches while another exception unwinds.
struct throwing_guard {
    ~throwing_guard()
    {
        if (outer(1) == -1)
            destroyed++;
    }
};

} // namespace

TRACKED int guarded(int value)
{
    throwing_guard cleanup;

    return leaf(value) + 1;
}

static void nested()
{
    int caught = 0;

    for (int i = 0; i < 1000; i++) {
        try {
            guarded(1);
        } catch (const std::runtime_error &) {
            try {
                outer(3);
                middle(5);
            } catch (const std::runtime_error &) {
                caught++;
            }
        }
    }
    CHECK(caught == 1000);
    CHECK(destroyed == 4000);
    printf("truth guarded error=1000\n");
    printf("truth outer success=2000\n");
    printf("truth middle error=3000\n");
    printf("truth leaf error=4000\n");
}

static void tail()
{
    int caught = 0;

    for (int i = 0; i < 1000; i++) {
        try {
            tail_second(i);
        } catch (const std::runtime_error &) {
            caught++;
        }
    }
    CHECK(caught == 500);
    printf("truth tail_second success=500 error=500\n");
    printf("truth tail_first success=500 error=500\n");
    printf("truth leaf success=500 error=500\n");
}

// An exception that is caught in one thread and thrown on in another.
static void across_threads()
{
    int caught = 0;

    for (int i = 0; i < 200; i++) {
        std::exception_ptr carried;
        std::thread thrower([&carried] {
            try {
                middle(1);
            } catch (...) {
                carried = std::current_exception();
            }
        });
        thrower.join();
        try {
            std::rethrow_exception(carried);
        } catch (const std::runtime_error &) {
            caught += outer(1) == -1;
        }
    }
    CHECK(caught == 200);
    printf("truth outer success=200\n");
    printf("truth middle error=400\n");
    printf("truth leaf error=400\n");
}

static void parallel()
{
    std::vector<std::thread> threads;
    int caught[8] = {};

    for (int t = 0; t < 8; t++)
        threads.emplace_back([&caught, t] {
            for (int i = 0; i < 5000; i++)
                caught[t] += outer(i) == -1;
        });
    for (auto &thread : threads)
        thread.join();
    for (int count : caught)
        CHECK(count == 2500);
    printf("truth outer success=40000\n");
    printf("truth middle success=20000 error=20000\n");
    printf("truth leaf success=20000 error=20000\n");
}

static void objects()
{
    int caught = 0;

    for (int i = 0; i < 300; i++) {
        try {
            thing made(i);
            thing *volatile pointer = &made;
            caught += pointer->act(i) < 0;
        } catch (const std::runtime_error &) {
            caught++;
        } catch (int) {
            caught++;
        }
    }
    CHECK(caught == 200);
    printf("truth thing::thing success=150 error=150\n");
    printf("truth thing::~thing success=150\n");
    printf("truth thing::act success=100 error=50\n");
}

static void backtrace_through()
{
    CHECK(walk_stack(0) > 0);
    CHECK(walk_stack(20) >= walk_stack(0) + 20);
    printf("truth walk_stack success=23\n");
}

// The next two die: the program is to end as it does without callmeter.
static void into_noexcept()
{
    fragile(1);
}

static void uncaught()
{
    tail_second(1);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"throws", throws},
        {"direct", direct},
        {"rethrown", rethrown},
        {"nested", nested},
        {"tail", tail},
        {"across-threads", across_threads},
        {"parallel", parallel},
        {"objects", objects},
        {"noexcept", into_noexcept},
        {"uncaught", uncaught},
        {"backtrace", backtrace_through},
        {nullptr, nullptr},
    };

    return victim_main(argc, argv, modes);
}
