/* Signals of faults that the program ignores, sent by itself: nothing comes of them, now or later. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "victim.h"

enum {
    TIMES = 50,
};

static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
static volatile sig_atomic_t handled;

TRACKED int work(int value)
{
    TOUCH();
    return value + 1;
}

static void handle(int number)
{
    (void)number;
    handled++;
    work(number);
}

static void change(int how, int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(how, &set, NULL);
}

/* To be ignored for a moment loses what is pending. */
static void lose_pending(void)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        signal(numbers[i], handle);
        change(SIG_BLOCK, numbers[i]);
        raise(numbers[i]);
        signal(numbers[i], SIG_IGN);
        kill(getpid(), numbers[i]);
        signal(numbers[i], handle);
        change(SIG_UNBLOCK, numbers[i]);
        raise(numbers[i]);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) { /* whoever sends it, and however */
        signal(numbers[i], SIG_IGN);
        raise(numbers[i]);
        kill(getpid(), numbers[i]);
        sigqueue(getpid(), numbers[i], (union sigval){.sival_int = 1});
    }
    printf("handled %d\n", (int)handled);
    printf("truth work success=%d\n", (int)handled);
}

struct reader {
    pthread_t thread;
    int tid;
    int pipe[2];
};

/* Of proc_pid_stat(5). */
static char state_of(int tid)
{
    char path[64];
    char state = '?';
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    file = fopen(path, "re");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (file)
        fclose(file);
    return state;
}

static void *send_all(void *context)
{
    const struct reader *reader = context;

    for (int i = 0; i < TIMES; i++) {
        while (state_of(reader->tid) != 'S')
            ;
        pthread_kill(reader->thread, numbers[i % 2]);
    }
    while (state_of(reader->tid) != 'S')
        ;
    CHECK(write(reader->pipe[1], "x", 1) == 1);
    return NULL;
}

/* What is ignored interrupts no read. */
static void read_on(void)
{
    struct reader reader = {.thread = pthread_self(), .tid = (int)syscall(SYS_gettid)};
    pthread_t sender;
    char byte = 0;

    signal(SIGSEGV, SIG_IGN);
    signal(SIGBUS, SIG_IGN);
    CHECK(pipe(reader.pipe) == 0);
    CHECK(pthread_create(&sender, NULL, send_all, &reader) == 0);
    CHECK(read(reader.pipe[0], &byte, 1) == 1 && byte == 'x');
    pthread_join(sender, NULL);
    CHECK(work(1) == 2);
    printf("truth work success=1\n");
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {{"lose-pending", lose_pending}, {"read-on", read_on}, {NULL, NULL}};

    return victim_main(argc, argv, modes);
}
