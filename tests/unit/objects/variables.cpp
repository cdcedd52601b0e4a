// Variables whose names are mangled.
#include <cstdint>

#define KEPT __attribute__((used))

namespace ns
{
KEPT int64_t pool = 1;
static KEPT int64_t hidden = 2;
namespace
{
KEPT int32_t nameless = 3;
}
template <typename T> struct Pool {
    static inline KEPT T count = 4;
};
template struct Pool<unsigned int>;
} // namespace ns

static KEPT int32_t plain = 5;

int32_t count_up(int by)
{
    static int32_t calls = 0;

    return calls += by;
}

namespace ns
{
KEPT int32_t twice = 1;
}

/* The last part of its name is another's too. */
namespace other
{
KEPT int64_t pool = 7;
}

extern "C" {
KEPT int32_t plain_c = 6;
}
