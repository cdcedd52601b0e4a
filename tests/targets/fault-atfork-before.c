/* A handler of pthread_atfork that was registered before any library's, and makes a tracked call in the child: the
 * calls that the child has in progress are to be counted once. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "victim.h"

enum {
    CHILDREN = 100
};

TRACKED long leaf(long value)
{
    TOUCH();
    return value + 1;
}

/* 0 in the child. */
TRACKED long forker(void)
{
    pid_t child = fork();

    if (child == 0)
        return 0;
    waitpid(child, NULL, 0);
    return 1;
}

static void in_child(void)
{
    leaf(1);
}

static void register_first(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    (void)envp;
    pthread_atfork(NULL, NULL, in_child);
}

__attribute__((section(".preinit_array"), used)) static void (*first)(int, char **, char **) = register_first;

int main(void)
{
    for (int i = 0; i < CHILDREN; i++)
        if (forker() == 0)
            _exit(0);
    printf("truth leaf success=%d\ntruth forker success=%d\n", CHILDREN, 2 * CHILDREN);
    return victim_finish();
}
