/* A daemon that closes what it may have inherited, up to the number that is its first argument and from its second on,
 * each time that it is told to by a line; then it opens files of its own. */
#include "victim.h"

#include <fcntl.h>
#include <stdlib.h>

enum {
    FILES = 4,
};

static int greetings;

TRACKED int greet(int value)
{
    TOUCH();
    greetings++;
    return value + 1;
}

static void print_files(void)
{
    for (int i = 0; i < FILES; i++)
        printf("file %d\n", open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int main(int argc, char **argv)
{
    int highest = argc > 1 ? atoi(argv[1]) : 255;
    int lowest = argc > 2 ? atoi(argv[2]) : 3;
    char byte;

    for (int i = 0; i < 5; i++)
        CHECK(greet(i) == i + 1);
    puts("truth greet success=5");
    print_files();
    puts("done");
    fflush(stdout);
    for (int times = 1; read(STDIN_FILENO, &byte, 1) > 0; times++) {
        for (int fd = lowest; fd <= highest; fd++)
            close(fd);
        print_files();
        printf("closed %d\n", times);
        fflush(stdout);
    }
    return victim_failures;
}
