/* Forks, execs and spawns from within tracked calls. */
#include "victim.h"

#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
    CHILDREN = 50
};

extern char **environ;
static int status_of_child;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

static int wait_for(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Both processes return from it; the child goes on to do work of its own. */
TRACKED pid_t fork_inside(int value)
{
    pid_t child;

    work(value);
    child = fork();
    TOUCH();
    return child;
}

TRACKED int fork_and_wait(int value)
{
    pid_t child = fork();

    if (child == 0) {
        for (int i = 0; i < 10; i++)
            work(i);
        _exit(value);
    }
    return wait_for(child);
}

TRACKED int vfork_and_exec(const char *program)
{
    pid_t child = vfork();

    if (child == 0) {
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    return wait_for(child);
}

TRACKED int spawn(const char *program)
{
    char *arguments[] = {(char *)(size_t)program, NULL};
    pid_t child;

    if (posix_spawn(&child, program, NULL, NULL, arguments, environ) != 0)
        return -1;
    return wait_for(child);
}

TRACKED int call_system(const char *command)
{
    int status = system(command);

    return WEXITSTATUS(status);
}

static void fork_and_go_on(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork_inside(i);

        if (child == 0) {
            work(i);
            work(i);
            _exit(i);
        }
        CHECK(wait_for(child) == i);
    }
    printf("truth work success=%d\n", 3 * CHILDREN);
    printf("truth fork_inside success=%d\n", 2 * CHILDREN);
}

static void fork_in_call(void)
{
    for (int i = 0; i < CHILDREN; i++)
        CHECK(fork_and_wait(i) == i);
    printf("truth work success=%d\n", 10 * CHILDREN);
    printf("truth fork_and_wait success=%d abandoned=%d\n", CHILDREN, CHILDREN);
}

static void vforks(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        CHECK(vfork_and_exec("/bin/true") == 0);
        CHECK(vfork_and_exec("/bin/false") == 1);
    }
    printf("truth vfork_and_exec success=%d\n", 2 * CHILDREN);
}

static void spawns(void)
{
    for (int i = 0; i < CHILDREN; i++)
        CHECK(spawn("/bin/true") == 0);
    CHECK(call_system("exit 7") == 7);
    printf("truth spawn success=%d\n", CHILDREN);
    printf("truth call_system success=1\n");
}

static void *fork_in_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < CHILDREN; i++)
        status_of_child |= fork_and_wait(i) != i;
    return NULL;
}

/* One thread forks while another is in tracked calls. */
static void fork_among_threads(void)
{
    pthread_t thread;
    int works = 0;

    CHECK(pthread_create(&thread, NULL, fork_in_thread, NULL) == 0);
    for (; works < 200000; works++)
        work(works);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(status_of_child == 0);
    printf("truth work success=%d\n", works + 10 * CHILDREN);
    printf("truth fork_and_wait success=%d abandoned=%d\n", CHILDREN, CHILDREN);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"fork-and-go-on", fork_and_go_on},
        {"fork-in-call", fork_in_call},
        {"vfork", vforks},
        {"spawn", spawns},
        {"fork-among-threads", fork_among_threads},
        {NULL, NULL},
    };

    return victim_main(argc, argv, modes);
}
