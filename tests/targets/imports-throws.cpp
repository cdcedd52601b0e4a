// Exceptions that the C++ library throws for the program, through its import tables.
#include "victim.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

static void throws()
{
    std::vector<int> numbers(5);
    int caught = 0;

    for (int i = 0; i < 100; i++) {
        try {
            numbers.at(static_cast<size_t>(i));
        } catch (const std::out_of_range &) {
            caught++;
        }
        try {
            caught += std::stoi(i % 2 ? "no number" : "1000");
        } catch (const std::invalid_argument &) {
            caught += 10;
        }
    }
    CHECK(caught == 95 + 50 * 1000 + 50 * 10);
    printf("truth std::__throw_out_of_range_fmt error=95\n");
    printf("truth std::__throw_invalid_argument error=50\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"throws", throws}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
