// Variables of C++: in namespaces, of classes, of functions, and static ones.
#include <cstdint>

#include "victim.h"

namespace pools
{
int64_t connections = 21;

namespace
{
volatile int32_t idle = 22;
}

template <typename T> struct Pool {
    static T count;
};
template <typename T> T Pool<T>::count = 23;
template struct Pool<unsigned long>;
} // namespace pools

static volatile uint32_t waiting = 24;

TRACKED int take(int by)
{
    static volatile int taken = 20;

    taken = taken + by;
    waiting = waiting + static_cast<uint32_t>(by);
    pools::idle = pools::idle + by;
    return taken;
}

int main()
{
    CHECK(take(5) == 25);
    return victim_finish();
}
