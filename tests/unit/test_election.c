/* The lock by which processes agree who serves: it goes on whichever way its holder goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/http/election.h"

static const uint32_t nobody; /* asks for anything */

enum {
    LONG_MS = 600000, /* longer than the test may take: only a wake-up ends it */
    AT_ONCE_MS = 1,
};

static struct election election;

/* A child that takes the lock, says so, and does what it is told; its pipes are the kernel's word on when it is gone.
 */
struct holder {
    pid_t pid;
    int says; /* a byte when it has the lock */
    int told; /* a byte to it */
};

static void leave(void)
{
    election_leave(&election);
    pause();
}

static void end(void)
{
    _exit(0);
}

static void exec(void)
{
    execl("/bin/sleep", "sleep", "100", (char *)NULL);
}

static void end_thread(void)
{
    syscall(SYS_exit, 0);
}

static void stay(void)
{
    pause();
}

/* As it is in earnest: the lock is a thread's, and what ends it mostly comes from another one. */
static bool is_threads_own(void (*action)(void))
{
    return action == leave || action == end_thread;
}

static void act(void (*action)(void))
{
    if (read(STDIN_FILENO, &(char){0}, 1) == 1)
        action();
}

static void *hold(void *context)
{
    void (**action)(void) = context;

    if (election_join(&election) != 0)
        _exit(1);
    /* It may be late for no reason: when another one wins between its look at the lock and its wait. */
    while (election_wait(&election, LONG_MS, NULL, 0, &nobody) != ELECTION_WON)
        ;
    if (write(STDOUT_FILENO, "h", 1) == 1 && is_threads_own(*action))
        act(*action);
    for (;;)
        pause();
}

static struct holder holder_start(void (*action)(void))
{
    struct holder holder;
    int says[2];
    int told[2];
    pthread_t thread;

    assert_int_equal(pipe(says) | pipe(told), 0);
    holder.pid = fork();
    assert_true(holder.pid >= 0);
    if (holder.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        dup2(told[0], STDIN_FILENO);
        dup2(says[1], STDOUT_FILENO);
        pthread_create(&thread, NULL, hold, &action);
        if (!is_threads_own(action))
            act(action);
        for (;;)
            pause();
    }
    close(says[1]);
    close(told[0]);
    holder.says = says[0];
    holder.told = told[1];
    return holder;
}

static void holder_expect(const struct holder *holder)
{
    char byte;

    assert_int_equal(read(holder->says, &byte, 1), 1);
}

static void holder_go(const struct holder *holder)
{
    assert_int_equal(write(holder->told, "g", 1), 1);
}

static void holder_finish(struct holder *holder)
{
    kill(holder->pid, SIGKILL);
    assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
    close(holder->says);
    close(holder->told);
}

static int setup(void **state)
{
    (void)state;
    memset(&election, 0, sizeof(election));
    assert_int_equal(election_init(&election, 64), 0);
    return 0;
}

static void assert_taken(bool is_taken)
{
    struct election own = {.page = election.page};

    assert_int_equal(election_join(&own), 0);
    assert_int_equal(election_wait(&own, AT_ONCE_MS, NULL, 0, &nobody), is_taken ? ELECTION_LATER : ELECTION_WON);
    if (!is_taken)
        election_leave(&own);
}

/* A thread of it sleeps in a call of futex(2) or futex_waitv(2), which only the lock is for here. The kernel does not
 * tell in some sandboxes. */
static bool is_asleep(pid_t pid)
{
    char path[64];
    const struct dirent *entry;
    bool is_seen = false;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    folder = opendir(path);
    while (folder && !is_seen && (entry = readdir(folder))) {
        int number = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/syscall", (int)pid, entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file && (fscanf(file, "%d ", &number) == EOF || number == SYS_futex || number == SYS_futex_waitv))
            is_seen = true;
        if (file)
            fclose(file);
    }
    if (folder)
        closedir(folder);
    return is_seen || !folder;
}

static void holder_expect_waiting(const struct holder *holder)
{
    while (!is_asleep(holder->pid))
        sched_yield();
}

/* The next one waits before the holder goes. */
static void check_succession(void (*action)(void))
{
    struct holder first = holder_start(action);
    struct holder second;

    holder_expect(&first);
    second = holder_start(stay);
    holder_expect_waiting(&second);
    assert_taken(true);
    holder_go(&first);
    holder_expect(&second);
    assert_taken(true);
    holder_finish(&first);
    assert_taken(true);
    holder_finish(&second);
    assert_taken(false);
}

static void whichever_way_the_holder_goes(void **state)
{
    (void)state;
    check_succession(leave);
    check_succession(end);
    check_succession(exec);
    check_succession(end_thread);
    check_succession(abort);
}

static void one_after_the_other(void **state)
{
    struct holder holders[5];
    fd_set ready;

    (void)state;
    for (int i = 0; i < 5; i++)
        holders[i] = holder_start(stay);
    for (int left = 5; left > 0; left--) {
        int at = 0;

        FD_ZERO(&ready);
        for (int i = 0; i < left; i++)
            FD_SET(holders[i].says, &ready);
        assert_int_equal(select(FD_SETSIZE, &ready, NULL, NULL, NULL), 1); /* only one has it */
        while (!FD_ISSET(holders[at].says, &ready))
            at++;
        holder_expect(&holders[at]);
        assert_taken(true);
        holder_finish(&holders[at]);
        holders[at] = holders[left - 1];
    }
    assert_taken(false);
}

static void who_only_waits_does_not_hold_up(void **state)
{
    struct holder first = holder_start(stay);
    struct holder waiting;
    struct holder last;

    (void)state;
    holder_expect(&first);
    waiting = holder_start(stay);
    last = holder_start(stay);
    holder_finish(&waiting);
    holder_finish(&first);
    holder_expect(&last);
    holder_finish(&last);
}

static void waiting_ends_early_for_another_word(void **state)
{
    struct holder first = holder_start(stay);
    uint32_t word = 1;

    (void)state;
    holder_expect(&first);
    assert_int_equal(election_join(&election), 0);
    /* It is not what it is said to be: were that not seen, this would take long. */
    assert_int_equal(election_wait(&election, LONG_MS, &word, 2, &nobody), ELECTION_LATER);
    holder_finish(&first);
}

static void *wake(void *context)
{
    atomic_bool *is_over = context;

    while (!atomic_load(is_over)) {
        election_wake(&election);
        usleep(1000);
    }
    return NULL;
}

static void waiting_ends_early_when_woken(void **state)
{
    struct holder first = holder_start(stay);
    atomic_bool is_over = false;
    pthread_t thread;

    (void)state;
    holder_expect(&first);
    assert_int_equal(election_join(&election), 0);
    assert_int_equal(pthread_create(&thread, NULL, wake, &is_over), 0);
    assert_int_equal(election_wait(&election, 3600 * 1000, NULL, 0, &nobody), ELECTION_LATER);
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    holder_finish(&first);
}

static void all_know_the_address_and_one_warns(void **state)
{
    struct address address = {.length = 7, .is_local = true};
    struct address found = {0};
    int status;
    pid_t child;

    (void)state;
    assert_false(election_address(&election, &found));
    assert_int_equal(*(char *)election_shared(&election), 0);
    child = fork();
    if (child == 0) {
        election_set_address(&election, &address);
        memset(election_shared(&election), 'x', 64);
        _exit(election_may_warn(&election) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(election_address(&election, &found));
    assert_memory_equal(&found, &address, sizeof(address));
    assert_int_equal(((char *)election_shared(&election))[63], 'x');
    assert_false(election_may_warn(&election));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whichever_way_the_holder_goes, setup),
        cmocka_unit_test_setup(one_after_the_other, setup),
        cmocka_unit_test_setup(who_only_waits_does_not_hold_up, setup),
        cmocka_unit_test_setup(waiting_ends_early_for_another_word, setup),
        cmocka_unit_test_setup(waiting_ends_early_when_woken, setup),
        cmocka_unit_test_setup(all_know_the_address_and_one_warns, setup),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
