/* Many children at once. process-storm forks THREADS FORKS: threads that fork from within nested tracked calls; half of
 * the children return through them. process-storm spawns THREADS SPAWNS: posix_spawn from within them. */
#include "victim.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
    THREADS_MAX = 64,
    WORKS = 5
};

extern char **environ;
static int forks_each;
static _Atomic int failures;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED pid_t fork_inside(int value)
{
    pid_t child;

    work(value);
    child = fork();
    TOUCH();
    return child;
}

TRACKED pid_t around(int value)
{
    pid_t child = fork_inside(value);

    if (child == 0) {
        for (int i = 0; i < WORKS; i++)
            work(i);
        if (value % 2)
            _exit(0);
    }
    TOUCH();
    return child;
}

static void wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    failures += child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void *fork_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < forks_each; i++) {
        pid_t child = around(i);

        if (child == 0)
            _exit(0);
        wait_for(child);
    }
    return NULL;
}

TRACKED int spawn_inside(int value)
{
    char *arguments[] = {(char *)(size_t) "true", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;

    work(value);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, 100);
    posix_spawn_file_actions_addclose(&actions, 100);
    failures += posix_spawn(&child, value % 2 ? "/bin/true" : "/nowhere/true", &actions, NULL, arguments, environ) !=
                (value % 2 ? 0 : ENOENT);
    posix_spawn_file_actions_destroy(&actions);
    if (value % 2)
        wait_for(child);
    return value;
}

static void *spawn_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < forks_each; i++)
        spawn_inside(i);
    return NULL;
}

static void run(void *(*act)(void *), int threads)
{
    pthread_t thread[THREADS_MAX];

    for (int i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, act, NULL);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    CHECK(failures == 0);
}

int main(int argc, char **argv)
{
    int threads = argc > 3 ? atoi(argv[2]) : 0;
    int all;

    if (threads < 1 || threads > THREADS_MAX)
        return 64;
    forks_each = atoi(argv[3]) / threads / 2 * 2;
    all = forks_each * threads;
    if (!strcmp(argv[1], "forks")) {
        run(fork_often, threads);
        printf("truth work success=%d\n", all * (1 + WORKS));
        printf("truth fork_inside success=%d\n", all * 2);
        printf("truth around success=%d abandoned=%d\n", all + all / 2, all / 2);
        printf("reason around process_exit %d\n", all / 2);
    } else {
        run(spawn_often, threads);
        printf("truth work success=%d\n", all);
        printf("truth spawn_inside success=%d\n", all);
    }
    return victim_finish();
}
