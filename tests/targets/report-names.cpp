// Dies in a C++ function behind a template: by a fault, or by an exception that nobody catches.
#include <stdexcept>
#include <string>
#include <vector>

#include "victim.h"

namespace ns
{

static int *volatile nowhere = nullptr;

struct Worker {
    TRACKED int run(const std::string &name, unsigned long count);
};

int Worker::run(const std::string &name, unsigned long count)
{
    if (count == 4)
        throw std::runtime_error(name);
    int result = *nowhere + static_cast<int>(name.size() + count);

    TOUCH();
    return result;
}

template <typename T> __attribute__((noinline)) int apply(const std::vector<T> &values, int (*function)(const T &))
{
    int result = function(values[0]) + 1;

    TOUCH();
    return result;
}

} // namespace ns

__attribute__((noinline)) static int start(const std::string &name)
{
    ns::Worker worker;
    int result = worker.run(name, name == "throw" ? 4 : 3) + 1;

    TOUCH();
    return result;
}

int main(int, char **argv)
{
    return ns::apply<std::string>({argv[1]}, start);
}
