/* A program whose room for thread-local variables of libraries is all taken when it starts. */
#include "victim.h"

#include <pthread.h>

int static_tls_loaded(void);

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

static void *start_work(void *argument)
{
    work(1);
    return argument;
}

static void all(void)
{
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        CHECK(pthread_create(&thread, NULL, start_work, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(static_tls_loaded() > 0 && static_tls_loaded() < 200);
    printf("libraries loaded until there was no room: %d\n", static_tls_loaded());
    printf("truth work success=20\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"all", all}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
