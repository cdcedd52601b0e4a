// C++ names: overloads, a template, a constructor with its two symbols, a destructor, operators.
namespace ns
{
volatile int sink;

struct Worker {
    Worker(int value);
    ~Worker();
    int run(int value);
    int run(int value, char const *text);
    int operator[](int value);
    int operator*(int value);
};

Worker::Worker(int value)
{
    sink = value;
}

Worker::~Worker()
{
    sink = 0;
}

int Worker::run(int value)
{
    sink = value;
    return sink + 1;
}

int Worker::run(int value, char const *text)
{
    sink = value + *text;
    return sink + 2;
}

int Worker::operator[](int value)
{
    sink = value;
    return sink + 3;
}

int Worker::operator*(int value)
{
    sink = value;
    return sink + 4;
}

template <typename T> T twice(T value)
{
    sink = sink + 1;
    return value + value;
}

template int twice<int>(int);
template long twice<long>(long);

namespace
{
__attribute__((noinline, used)) int hidden(int value)
{
    sink = value;
    return sink + 5;
}
} // namespace
} // namespace ns

extern "C" int run(int value)
{
    ns::sink = value;
    return ns::sink + 6;
}

int global_run(int value)
{
    ns::sink = value;
    return ns::sink + 7;
}
