/* Forks and makes a thread, both of which an emulator does in its own way. */
#include "victim.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/wait.h>

TRACKED int greet(int value)
{
    TOUCH();
    return value + 1;
}

static void *run_thread(void *argument)
{
    return (void *)(intptr_t)greet((int)(intptr_t)argument);
}

int main(void)
{
    pthread_t thread;
    void *result = NULL;
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(greet(2));
    waitpid(child, &status, 0);
    pthread_create(&thread, NULL, run_thread, (void *)3);
    pthread_join(thread, &result);
    printf("child %d\nthread %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1, (int)(intptr_t)result);
    return victim_finish();
}
