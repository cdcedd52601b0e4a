/* Processes that are gone while their id is not, and processes that are there while their id says nothing. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

/* Open as long as the first process lives: who waits for its end goes when that does. */
static int life[2];
static int ready[2];
static sem_t is_held;

static void wait_for_life(void)
{
    char byte;

    close(life[1]);
    while (read(life[0], &byte, 1) > 0)
        ;
}

static void say_ready(void)
{
    CHECK(write(ready[1], "r", 1) == 1);
}

static void wait_ready(int count)
{
    char byte;

    while (count-- > 0)
        CHECK(read(ready[0], &byte, 1) == 1);
}

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

TRACKED int spare(int value)
{
    TOUCH();
    return value + 2;
}

/* Returns when the first process is gone. */
TRACKED int hold(int value)
{
    say_ready();
    wait_for_life();
    return value;
}

/* What the child does inside it is up to its caller. */
TRACKED int inside(void (*act)(void))
{
    act();
    TOUCH();
    return 0;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
}

static void leave(void)
{
    exit(0);
}

static void pause_for_ever(void)
{
    sem_post(&is_held);
    for (;;)
        pause();
}

static void *pause_in_thread(void *unused)
{
    (void)unused;
    inside(pause_for_ever);
    return NULL;
}

static void become_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
}

static pid_t fork_into(void (*act)(void))
{
    pid_t child = fork();

    if (child == 0) {
        inside(act);
        _exit(0);
    }
    return child;
}

/* Until it is dead, not until it is waited for. */
static void wait_dead(pid_t child)
{
    siginfo_t info;

    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
}

static void zombie(void)
{
    wait_dead(fork_into(die));
    puts("truth inside abandoned=1");
    puts("reason inside process_death 1");
    puts("processes 1");
}

/* What a child of vfork does to end is none of its parent's ending. */
static void spawn_and_die(void)
{
    pid_t child = vfork();

    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    child = vfork();
    if (child == 0)
        _exit(0);
    CHECK(waitpid(child, NULL, 0) == child);
    die();
}

static void dies_after_vfork(void)
{
    wait_dead(fork_into(spawn_and_die));
    puts("truth inside abandoned=1");
    puts("reason inside process_death 1");
    puts("processes 1");
}

static char program[] = "cat";
static char *arguments[] = {program, NULL};

/* The program that follows says that it is there by closing the one end, and lives as long as the other is open. */
static void become_input(void)
{
    close(life[1]);
    dup2(life[0], STDIN_FILENO);
    fcntl(ready[1], F_SETFD, FD_CLOEXEC);
}

static void exec_call(void)
{
    become_input();
    execv("/bin/cat", arguments);
}

static void exec_system_call(void)
{
    become_input();
    syscall(SYS_execve, "/bin/cat", arguments, environ);
}

static void *exec_in_thread(void *act)
{
    inside((void (*)(void))act);
    return NULL;
}

/* Not by the thread that had the process begin. */
static void exec_other_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, exec_in_thread, (void *)exec_call);
    pthread_join(thread, NULL);
}

static void fork_and_exec(void (*act)(void))
{
    char byte;

    CHECK(fork_into(act) > 0);
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 0);
}

static void exec_lives(void)
{
    fork_and_exec(exec_call);
    puts("truth inside abandoned=1");
    puts("reason inside exec 1");
    puts("processes 1");
}

static void exec_unseen(void)
{
    fork_and_exec(exec_system_call);
    puts("truth inside abandoned=1");
    puts("reason inside process_death 1");
    puts("processes 1");
}

static void exec_by_thread(void)
{
    fork_and_exec(exec_other_thread);
    puts("truth inside abandoned=2");
    puts("reason inside exec 2");
    puts("processes 1");
}

/* One after the other, all of them still there. */
static void exec_thrice(void)
{
    for (int i = 0; i < 3; i++) {
        int pipes[2];

        CHECK(pipe(pipes) == 0);
        ready[0] = pipes[0];
        ready[1] = pipes[1];
        fork_and_exec(exec_call);
    }
    puts("truth inside abandoned=3");
    puts("reason inside exec 3");
    puts("processes 1");
}

/* Until the process is killed. */
TRACKED int stay(int value)
{
    sem_post(&is_held);
    wait_for_life();
    return value;
}

static void *stay_in_thread(void *unused)
{
    (void)unused;
    stay(0);
    return NULL;
}

/* Makes no tracked call. */
static void *say_when_gone(void *first)
{
    pthread_join(*(pthread_t *)first, NULL);
    say_ready();
    return NULL;
}

static void *work_and_hold(void *first)
{
    if (first)
        pthread_join(*(pthread_t *)first, NULL);
    for (int i = 0; i < 10; i++)
        work(i);
    hold(0);
    return NULL;
}

/* The process lives in other threads than the one that it began with. */
static void first_thread_ends(void)
{
    static pthread_t first;
    pthread_t thread;

    sem_init(&is_held, 0, 0);
    if (fork() == 0) {
        first = pthread_self();
        work(0);
        pthread_create(&thread, NULL, stay_in_thread, NULL);
        pthread_create(&thread, NULL, stay_in_thread, NULL);
        sem_wait(&is_held);
        sem_wait(&is_held);
        pthread_create(&thread, NULL, say_when_gone, &first);
        pthread_exit(NULL);
    }
    wait_ready(1);
    puts("truth work success=1");
    puts("truth stay active=2");
    puts("processes 2");
}

static void *work_in_thread(void *previous)
{
    pthread_join(*(pthread_t *)previous, NULL);
    for (int i = 0; i < 10; i++)
        work(i);
    return NULL;
}

/* One thread after the other, none of which is there for long: each takes over what the one before had. */
static void threads_take_turns(void)
{
    enum {
        TURNS = 50
    };
    static pthread_t threads[TURNS + 1];

    if (fork() == 0) {
        threads[0] = pthread_self();
        work(0);
        for (int i = 0; i < TURNS; i++)
            pthread_create(&threads[i + 1], NULL, i + 1 < TURNS ? work_in_thread : work_and_hold, &threads[i]);
        pthread_exit(NULL);
    }
    wait_ready(1);
    printf("truth work success=%d\n", 1 + 10 * TURNS);
    puts("truth hold active=1");
    puts("processes 2");
}

static int again[2];

static void *come_again(void *first)
{
    pthread_t thread;
    char byte;

    say_when_gone(first);
    CHECK(read(again[0], &byte, 1) == 1);
    pthread_create(&thread, NULL, work_and_hold, NULL);
    pthread_join(thread, NULL);
    return NULL;
}

/* Its only thread that made tracked calls is gone, and so many other processes come that its room is given to them.
 * Then it makes tracked calls again. */
static void taken_for_dead(void)
{
    enum {
        OTHERS = 70
    };
    static pthread_t first;
    pthread_t thread;

    CHECK(pipe(again) == 0);
    if (fork() == 0) {
        first = pthread_self();
        work(0);
        pthread_create(&thread, NULL, come_again, &first);
        pthread_exit(NULL);
    }
    wait_ready(1);
    for (int i = 0; i < OTHERS; i++) {
        if (fork() == 0) {
            work(i);
            hold(i);
            _exit(0);
        }
    }
    wait_ready(OTHERS);
    CHECK(write(again[1], "a", 1) == 1);
    wait_ready(1);
    printf("truth work success=%d\n", 1 + OTHERS + 10);
    printf("truth hold active=%d\n", OTHERS + 1);
    printf("processes %d\n", OTHERS + 2);
}

/* The parent is gone, and the child has another one. */
static void orphan(void)
{
    pid_t child = fork();

    if (child == 0) {
        if (fork() == 0) {
            work(0);
            hold(0);
            _exit(0);
        }
        work(0);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    wait_ready(1);
    puts("truth work success=2");
    puts("truth hold active=1");
    puts("processes 2");
}

/* Without atfork handlers, and the first tracked call of the child is that of a child of vfork. */
static void vfork_before_notice(void)
{
    pid_t child = (pid_t)syscall(SYS_fork);

    if (child == 0) {
        pid_t inner = vfork();

        if (inner == 0) {
            spare(0);
            _exit(0);
        }
        waitpid(inner, NULL, 0);
        for (int i = 0; i < 10; i++)
            work(i);
        hold(0);
        _exit(0);
    }
    wait_ready(1);
    puts("truth work success=10");
    puts("truth spare success=*"); /* counted, not timed */
    puts("calls spare 1");
    puts("truth hold active=1");
    puts("processes 2");
}

static void set_last_pid(pid_t pid)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || dprintf(fd, "%d", (int)pid) < 0)
        exit(77);
    close(fd);
}

/* Children in a PID namespace of their own: their ids are those of nobody here, or of others. */
static void begin_namespace(void)
{
    if (unshare(CLONE_NEWPID) != 0) {
        perror("unshare");
        exit(77);
    }
}

static void in_namespace(void)
{
    begin_namespace();
    if (fork() == 0) {
        set_last_pid(20000); /* in this namespace; in the parent's nobody has such ids */
        for (int i = 0; i < 3; i++) {
            if (fork() == 0) {
                work(0);
                hold(0);
                _exit(0);
            }
        }
        wait_dead(fork_into(die));
        say_ready();
        wait_for_life();
        _exit(0);
    }
    wait_ready(4);
    puts("truth work success=3");
    puts("truth hold active=3");
    puts("truth inside abandoned=1");
    puts("reason inside process_death 1");
    puts("processes 5");
}

/* All of a namespace is killed at once, with its first process. */
static void namespace_ends(void)
{
    pid_t child;

    begin_namespace();
    child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            if (fork() == 0) {
                hold(0);
                _exit(0);
            }
        }
        hold(0);
        _exit(0);
    }
    wait_ready(4);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    puts("truth hold abandoned=4");
    puts("reason hold process_death 4");
    puts("processes 1");
}

/* To be run in a PID namespace of its own, where no other process takes the id. */
static void id_again(void)
{
    pid_t first = fork_into(die);
    pid_t second;

    CHECK(waitpid(first, NULL, 0) == first);
    set_last_pid(first - 1);
    second = fork();
    if (second == 0) {
        work(0);
        hold(0);
        _exit(0);
    }
    CHECK(second == first);
    wait_ready(1);
    puts("truth work success=1");
    puts("truth hold active=1");
    puts("truth inside abandoned=1");
    puts("reason inside process_death 1");
    puts("processes 2");
}

/* Nothing is left of the first process itself. */
static void exit_inside(void)
{
    inside(leave);
}

/* Another thread's call is in progress when main returns. */
static void return_beside(void)
{
    pthread_t thread;

    sem_init(&is_held, 0, 0);
    pthread_create(&thread, NULL, pause_in_thread, NULL);
    sem_wait(&is_held);
}

static void exec_inside(void)
{
    inside(become_true);
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"zombie", zombie},
        {"dies-after-vfork", dies_after_vfork},
        {"exec-lives", exec_lives},
        {"exec-unseen", exec_unseen},
        {"exec-by-thread", exec_by_thread},
        {"exec-thrice", exec_thrice},
        {"first-thread-ends", first_thread_ends},
        {"threads-take-turns", threads_take_turns},
        {"taken-for-dead", taken_for_dead},
        {"orphan", orphan},
        {"vfork-before-notice", vfork_before_notice},
        {"namespace", in_namespace},
        {"namespace-ends", namespace_ends},
        {"id-again", id_again},
        {"exit-inside", exit_inside},
        {"exec-inside", exec_inside},
        {"return-beside", return_beside},
        {NULL, NULL},
    };

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    CHECK(pipe(life) == 0 && pipe(ready) == 0);
    return victim_main(argc, argv, modes);
}
