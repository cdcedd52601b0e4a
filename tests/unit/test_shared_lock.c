/* Locks and blocks in shared memory, whose holders live in other processes and other PID namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/calls/tuples.h"
#include "preload/control/segment/writer.h"
#include "preload/threads/blocks.h"
#include "preload/threads/process_image.h"
#include "preload/threads/reclaim.h"
#include "preload/threads/shared_lock.h"

enum {
    IMAGES = 64,
    NAPS = 20,
    EXIT_DENIED = 77, /* there is no new namespace to be had */
};

static struct segment_header *segment;

/* What the processes of a test tell each other. */
static struct shared {
    uint64_t lock;
    _Atomic int is_held;
    _Atomic int is_done;
    _Atomic uint64_t mark;
    struct segment_values values;
    _Atomic uint32_t slots[8];
    uint64_t keys[4];
} * shared;

static int begin(void **state)
{
    (void)state;
    memset(shared, 0, sizeof(*shared));
    shared->values.capacity = 4;
    return 0;
}

/* Runs in a process of its own, an image of the segment; it may be in a PID namespace of its own. */
static pid_t start(bool is_elsewhere, void (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody waits for ever when a test has failed */
    if (is_elsewhere) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(EXIT_DENIED);
        pid = fork();
        if (pid != 0) { /* ends as the child does */
            waitpid(pid, &status, 0);
            if (WIFSIGNALED(status))
                raise(WTERMSIG(status));
            _exit(WEXITSTATUS(status));
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    image_begin();
    run();
    _exit(0);
}

/* Ends the test where namespaces are not to be had. */
static int finish(pid_t pid)
{
    int status;

    assert_int_equal(pid, waitpid(pid, &status, 0));
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DENIED)
        skip();
    return status;
}

static bool is_running(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

static void hold(void)
{
    if (!shared_lock_take(&shared->lock, NAPS))
        _exit(1);
    atomic_store(&shared->is_held, 1);
}

static void hold_and_wait(void)
{
    hold();
    while (!atomic_load(&shared->is_done))
        usleep(1000);
    shared_lock_leave(&shared->lock);
}

static void hold_and_die(void)
{
    hold();
    kill(getpid(), SIGKILL);
    syscall(SYS_exit_group, 1); /* the first process of a namespace does not hear itself */
}

static void hold_and_exec(void)
{
    hold();
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
    _exit(1);
}

static void *hold_in_thread(void *unused)
{
    (void)unused;
    hold();
    syscall(SYS_exit_group, 1);
    return NULL;
}

static void hold_in_another_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, hold_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void ask(void)
{
    _exit(shared_lock_take(&shared->lock, NAPS) ? 1 : 0);
}

static void ask_for_a_place(void)
{
    struct tuples tuples = {
        .values = &shared->values,
        .slots = shared->slots,
        .keys = shared->keys,
        .slot_mask = 7,
        .key_words = 1,
        .capacity = 4,
    };
    uint64_t key = 1;

    _exit(tuples_add(&tuples, &key, 1, 5) == 4 ? 0 : 1);
}

static void check_is_refused(bool is_elsewhere, void (*asking)(void))
{
    int status;

    assert_true(shared_lock_take(&shared->lock, NAPS));
    assert_true(shared_lock_take(&shared->values.lock, NAPS));
    status = finish(start(is_elsewhere, asking));
    assert_true(WIFEXITED(status));
    assert_int_equal(0, WEXITSTATUS(status));
    assert_int_equal(image_mark(), shared->lock);
    shared_lock_leave(&shared->lock);
    shared_lock_leave(&shared->values.lock);
    assert_int_equal(0, shared->lock);
}

static void is_never_taken_from_a_living_holder(void **state)
{
    (void)state;
    check_is_refused(false, ask);
    check_is_refused(false, ask_for_a_place);
}

static void is_not_taken_out_of_another_namespace(void **state)
{
    (void)state;
    check_is_refused(true, ask);
    check_is_refused(true, ask_for_a_place);
}

static void is_not_taken_from_a_holder_in_another_namespace(void **state)
{
    pid_t holder = start(true, hold_and_wait);

    (void)state;
    while (!atomic_load(&shared->is_held) && is_running(holder))
        usleep(1000);
    if (atomic_load(&shared->is_held))
        assert_false(shared_lock_take(&shared->lock, NAPS));
    atomic_store(&shared->is_done, 1);
    finish(holder);
    assert_true(shared_lock_take(&shared->lock, NAPS));
}

static void check_is_taken_over(bool is_elsewhere, void (*holding)(void))
{
    finish(start(is_elsewhere, holding));
    assert_true(atomic_load(&shared->is_held));
    assert_int_not_equal(0, shared->lock);
    assert_true(shared_lock_take(&shared->lock, NAPS));
    assert_int_equal(image_mark(), shared->lock);
    shared_lock_leave(&shared->lock);
    atomic_store(&shared->is_held, 0);
}

static void takes_the_lock_of_the_dead(void **state)
{
    (void)state;
    check_is_taken_over(false, hold_and_die);
    check_is_taken_over(false, hold_in_another_thread);
}

static void is_taken_over_from_the_dead_in_another_namespace(void **state)
{
    (void)state;
    check_is_taken_over(true, hold_and_die);
    check_is_taken_over(true, hold_in_another_thread);
}

/* The process lives, and has its id still. */
static void check_exec(bool is_elsewhere)
{
    pid_t holder = start(is_elsewhere, hold_and_exec);
    bool is_taken = false;

    for (int i = 0; i < 1000 && !is_taken && is_running(holder); i++) {
        usleep(1000);
        is_taken = atomic_load(&shared->is_held) && shared_lock_take(&shared->lock, NAPS);
    }
    kill(holder, SIGKILL);
    finish(holder);
    assert_true(is_taken);
    shared_lock_leave(&shared->lock);
    atomic_store(&shared->is_held, 0);
}

static void is_taken_over_from_who_executes_another_program(void **state)
{
    (void)state;
    check_exec(false);
    check_exec(true);
}

/* Blocks ----------------------------------------------------------------------------------------------------------- */

static _Atomic uint64_t *owners(void)
{
    return (_Atomic uint64_t *)((char *)segment + segment->owners);
}

static void reclaim(void)
{
    reclaim_blocks(segment, 2);
}

static void reclaims_elsewhere(void)
{
    reclaim();
    _exit(0);
}

/* Two at once would both add what is missing. */
static void a_block_that_another_balances_is_left_to_it(void **state)
{
    uint64_t balancing = reclaim_owner();

    (void)state;
    atomic_store(&owners()[1], balancing);
    finish(start(true, reclaims_elsewhere));
    assert_int_equal(balancing, atomic_load(&owners()[1]));
    finish(start(false, reclaims_elsewhere));
    assert_int_equal(balancing, atomic_load(&owners()[1]));
    atomic_store(&owners()[1], 0);
}

static void begin_to_balance(void)
{
    atomic_store(&owners()[1], reclaim_owner());
    syscall(SYS_exit_group, 0);
}

static void a_block_is_balanced_again_if_who_did_it_died(void **state)
{
    (void)state;
    for (int is_elsewhere = 0; is_elsewhere < 2; is_elsewhere++) {
        finish(start(is_elsewhere, begin_to_balance));
        assert_int_not_equal(0, atomic_load(&owners()[1]));
        reclaim();
        assert_int_equal(0, atomic_load(&owners()[1]));
    }
}

/* Marks ------------------------------------------------------------------------------------------------------------ */

static void leave_mark(void)
{
    atomic_store(&shared->mark, image_mark());
    syscall(SYS_exit_group, 0);
}

static void leave_mark_and_wait(void)
{
    atomic_store(&shared->mark, image_mark());
    atomic_store(&shared->is_held, 1);
    while (!atomic_load(&shared->is_done))
        usleep(1000);
}

static uint64_t index_of(uint64_t mark)
{
    return mark >> 44; /* process and thread have 22 bits each */
}

/* The mark's process was the first one of its namespace, and such a process there is here as well. */
static void the_mark_of_a_process_whose_image_another_has_is_over(void **state)
{
    uint64_t mark;
    pid_t heir;

    (void)state;
    finish(start(true, leave_mark));
    mark = atomic_load(&shared->mark);
    assert_true(image_mark_is_over(mark));
    reclaim();
    assert_true(image_mark_is_over(mark));
    heir = start(false, leave_mark_and_wait);
    while (!atomic_load(&shared->is_held) && is_running(heir))
        usleep(1000);
    assert_int_equal(index_of(mark), index_of(atomic_load(&shared->mark)));
    assert_false(image_mark_is_over(atomic_load(&shared->mark)));
    assert_true(image_mark_is_over(mark));
    atomic_store(&shared->is_done, 1);
    finish(heir);
    assert_true(image_mark_is_over(atomic_load(&shared->mark)));
}

/* It forks by a system call alone, and is no image of its own. */
static void the_mark_of_a_child_that_is_no_image_ends_with_it(void **state)
{
    uint64_t mark;
    pid_t child = (pid_t)syscall(SYS_fork);

    (void)state;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        leave_mark_and_wait();
        syscall(SYS_exit_group, 0);
    }
    while (!atomic_load(&shared->is_held) && is_running(child))
        usleep(1000);
    mark = atomic_load(&shared->mark);
    assert_int_equal(index_of(mark), index_of(image_mark()));
    assert_false(image_mark_is_over(mark));
    atomic_store(&shared->is_done, 1);
    finish(child);
    assert_true(image_mark_is_over(mark));
    assert_false(image_mark_is_over(image_mark()));
}

/* What a process that was killed in the middle has left may be anything. */
static void a_mark_that_is_none_is_never_over(void **state)
{
    (void)state;
    assert_false(image_mark_is_over(0));
    assert_false(image_mark_is_over(UINT64_MAX));
    assert_false(image_mark_is_over(UINT64_C(1000) << 44));
}

/* Without an image its id has to do. */
static void an_owner_without_image_lives_as_its_id_does(void **state)
{
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        leave_mark_and_wait();
        _exit(0);
    }
    assert_false(image_is_over((uint64_t)getpid() << 32));
    assert_false(image_is_over((uint64_t)child << 32));
    atomic_store(&shared->is_done, 1);
    finish(child);
    assert_true(image_is_over((uint64_t)child << 32));
}

static void make_segment(void)
{
    const struct writer_size size = {.functions = 1, .series = 1, .text_bytes = 4096, .cell_bytes = 256};

    if (writer_create(&size, 1e-9, -1, &segment) != 0)
        abort();
    segment->block_count = 2;
    blocks_init(segment, false);
    blocks_reclaim();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_never_taken_from_a_living_holder, begin),
        cmocka_unit_test_setup(is_not_taken_out_of_another_namespace, begin),
        cmocka_unit_test_setup(is_not_taken_from_a_holder_in_another_namespace, begin),
        cmocka_unit_test_setup(takes_the_lock_of_the_dead, begin),
        cmocka_unit_test_setup(is_taken_over_from_the_dead_in_another_namespace, begin),
        cmocka_unit_test_setup(is_taken_over_from_who_executes_another_program, begin),
        cmocka_unit_test_setup(a_block_that_another_balances_is_left_to_it, begin),
        cmocka_unit_test_setup(a_block_is_balanced_again_if_who_did_it_died, begin),
        cmocka_unit_test_setup(the_mark_of_a_process_whose_image_another_has_is_over, begin),
        cmocka_unit_test_setup(the_mark_of_a_child_that_is_no_image_ends_with_it, begin),
        cmocka_unit_test_setup(a_mark_that_is_none_is_never_over, begin),
        cmocka_unit_test_setup(an_owner_without_image_lives_as_its_id_does, begin),
    };

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || images_init(IMAGES) != 0)
        return 1;
    image_begin();
    make_segment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
