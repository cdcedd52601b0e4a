/* Rounds of writing jumps while other threads are there. Each case is a process of its own. */
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preload/control/patching/live.h"
#include "preload/machine/own_lock.h"
#include "preload/shim.h"
#include "preload/signals/masks.h"
#include "preload/threads/attach.h"

#define NEED(condition) need(condition, #condition, __LINE__)
#define INT3            0xcc

enum {
    PAGE_BYTES = 4096,
    FUNCTION_BYTES = 64,
    ADDED_BEFORE = 1,
    ADDED_AFTER = 2,
    NOBODY = 65534,
};

/* Adds 1 to its argument; its first instruction has one byte. */
static const uint8_t adding[] = {0x55,                   /* push %rbp */
                                 0x48, 0x8d, 0x47, 0x01, /* lea 1(%rdi), %rax */
                                 0x5d, 0xc3};            /* pop %rbp; ret */
static const struct patch_plan adding_plan = {.window_bytes = 5,
                                              .instruction_count = 2,
                                              .instructions = {{0, 1}, {1, 4}},
                                              .original = {0x55, 0x48, 0x8d, 0x47, 1}};

/* Makes the system call whose number is in rax, between its second byte and its fourth. */
static const uint8_t calling[] = {0x55,       /* push %rbp */
                                  0x0f, 0x05, /* syscall */
                                  0x90, 0x90, /* nop; nop */
                                  0x5d, 0xc3};
static const struct patch_plan calling_plan = {.window_bytes = 5,
                                               .instruction_count = 4,
                                               .instructions = {{0, 1}, {1, 2}, {3, 1}, {4, 1}},
                                               .original = {0x55, 0x0f, 0x05, 0x90, 0x90}};

/* Where the jump leads: adds 2. */
static const uint8_t adding_two[] = {0x48, 0x8d, 0x47, 0x02, 0xc3};

static uint8_t *code;
static size_t function_count;
static volatile int traps_of_the_program;

static void need(bool holds, const char *text, int line)
{
    if (holds)
        return;
    fprintf(stderr, "line %d: not so: %s\n", line, text);
    _exit(1);
}

static struct patch make(const uint8_t *bytes, size_t count, const struct patch_plan *plan)
{
    uint8_t *at = code + FUNCTION_BYTES * (2 * function_count + 1);
    uint8_t *target = at + FUNCTION_BYTES;

    function_count++;
    mprotect(code, PAGE_BYTES, PROT_READ | PROT_WRITE);
    memcpy(at, bytes, count);
    memcpy(target, adding_two, sizeof(adding_two));
    mprotect(code, PAGE_BYTES, PROT_READ | PROT_EXEC);
    return (struct patch){.plan = plan, .window = at, .target = target};
}

static struct patch make_adding(void)
{
    return make(adding, sizeof(adding), &adding_plan);
}

static int added(const struct patch *patch)
{
    return ((int (*)(int))(uintptr_t)patch->window)(0);
}

/* One round; its result. */
static int write_one(struct patch *patch)
{
    const struct window_run run = {(uintptr_t)code, (uintptr_t)code + PAGE_BYTES, PROT_READ | PROT_EXEC, 0, 1};

    live_write(patch, 1, &run, 1);
    return patch->result;
}

static void wait_until_closed(const struct patch *patch)
{
    while (*(volatile uint8_t *)patch->window != INT3)
        sched_yield();
}

/* What signals/actions.c needs besides: nothing is claimed here, and no child is vforked by libc ------------------- */

void masks_claim(int signal)
{
    (void)signal;
}

void masks_claim_all(uint64_t signals)
{
    (void)signals;
}

void masks_settle(void) {}

void signals_note_restorer(uintptr_t restorer)
{
    (void)restorer;
}

bool lane_is_borrowed(void)
{
    return false;
}

static void ignore_claimed(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
}

/* The program's own trap ------------------------------------------------------------------------------------------- */

static void count_trap(int signal)
{
    (void)signal;
    traps_of_the_program++;
}

static void other_handler(int signal)
{
    (void)signal;
}

static void set_trap(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    NEED(sigaction(SIGTRAP, &action, NULL) == 0);
}

static bool has_trap(void (*handler)(int))
{
    struct sigaction action;

    sigaction(SIGTRAP, NULL, &action);
    return action.sa_handler == handler;
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

static _Atomic int at_work;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *sleep_in(void *way)
{
    struct epoll_event event;
    char byte;
    int ends[2];

    at_work++;
    switch ((intptr_t)way) {
    case 0:
        poll(NULL, 0, -1);
        break;
    case 1:
        epoll_wait(epoll_create1(0), &event, 1, -1);
        break;
    case 2:
        NEED(pipe(ends) == 0 && read(ends[0], &byte, 1) == 1);
        break;
    case 3:
        pthread_mutex_lock(&mutex);
        pthread_cond_wait(&never, &mutex);
        break;
    case 4:
        sleep(1000);
        break;
    default:
        pause();
    }
    return NULL;
}

static void begin_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    int before = at_work;

    NEED(pthread_create(&thread, NULL, run, argument) == 0);
    while (at_work == before)
        sched_yield();
}

static void begin_sleepers(void)
{
    for (intptr_t way = 0; way < 6; way++)
        begin_thread(sleep_in, (void *)way);
}

static volatile pid_t vforked;

/* Nobody sees a thread whose child of vfork goes on, but by its program counter. */
static void *vfork_and_wait(void *closed)
{
    if (closed) {
        at_work++;
        wait_until_closed(closed);
    }
    if (vfork() == 0) {
        vforked = getpid();
        at_work += !closed;
        pause();
        _exit(0);
    }
    return NULL;
}

static void be_undumpable(void)
{
    if (geteuid() == 0)
        NEED(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    NEED(prctl(PR_SET_DUMPABLE, 0) == 0);
}

/* Cases ------------------------------------------------------------------------------------------------------------ */

static void patch_among_sleepers(void)
{
    struct patch patch = make_adding();

    begin_sleepers();
    set_trap(count_trap);
    NEED(added(&patch) == ADDED_BEFORE);
    NEED(write_one(&patch) == 0);
    NEED(added(&patch) == ADDED_AFTER);
    NEED(has_trap(count_trap));
}

static void patch_undumpable(void)
{
    be_undumpable();
    patch_among_sleepers();
}

static void refuse_unseen(void)
{
    struct patch patch = make_adding();

    be_undumpable();
    begin_thread(vfork_and_wait, NULL);
    set_trap(count_trap);
    NEED(write_one(&patch) == LIVE_UNSEEN);
    NEED(has_trap(count_trap));
    NEED(added(&patch) == ADDED_BEFORE);
    kill(vforked, SIGKILL);
}

static void refuse_calls_unseen(void)
{
    struct patch patch = make(calling, sizeof(calling), &calling_plan);

    be_undumpable();
    begin_sleepers();
    NEED(write_one(&patch) == LIVE_UNSEEN);
}

static void stay_installed(void)
{
    struct patch first = make_adding();
    struct patch second = make_adding();
    struct patch third = make_adding();

    be_undumpable();
    set_trap(count_trap);
    begin_thread(vfork_and_wait, &first);
    NEED(write_one(&first) == LIVE_BUSY); /* and a trap may be on its way */
    NEED(added(&first) == ADDED_BEFORE);
    __asm__ volatile("int3");
    NEED(traps_of_the_program == 1);
    NEED(write_one(&second) == LIVE_UNSEEN);
    __asm__ volatile("int3");
    NEED(traps_of_the_program == 2);
    kill(vforked, SIGKILL);
    for (int i = 0; i < 100 && write_one(&third) != 0; i++)
        usleep(10000);
    NEED(third.result == 0);
    NEED(added(&third) == ADDED_AFTER);
    NEED(has_trap(count_trap));
    __asm__ volatile("int3");
    NEED(traps_of_the_program == 3);
}

static void *call_inside(void *patch)
{
    long result = SYS_pause;

    at_work++;
    __asm__ volatile("call *%1"
                     : "+a"(result)
                     : "r"(((struct patch *)patch)->window)
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return NULL;
}

static void begin_inside(struct patch *patch)
{
    begin_thread(call_inside, patch);
    usleep(100000); /* until it is there, as a rule */
}

static void refuse_busy(void)
{
    struct patch patch = make(calling, sizeof(calling), &calling_plan);

    begin_inside(&patch);
    set_trap(count_trap);
    NEED(write_one(&patch) == LIVE_BUSY);
    NEED(memcmp(patch.window, calling, sizeof(calling)) == 0);
    NEED(has_trap(count_trap));
}

static struct patch stuck;

/* As the interposer of sigaction does. A trap that comes to a closed window is still not the program's. */
static void *set_trap_when_closed(void *function)
{
    const struct sigaction action = {.sa_handler = other_handler};
    struct sigaction old;

    at_work++;
    wait_until_closed(&stuck);
    NEED(signals_is_virtual(SIGTRAP));
    NEED(signals_change(SIGTRAP, &action, &old) == 0);
    NEED(old.sa_handler == count_trap);
    NEED(added(function) != 0);
    return NULL;
}

static void *set_trap_directly(void *unused)
{
    at_work++;
    wait_until_closed(&stuck);
    set_trap(other_handler);
    return unused;
}

static void keep_what_is_set(void)
{
    struct patch patches[] = {make(calling, sizeof(calling), &calling_plan), make_adding()};
    const struct window_run run = {(uintptr_t)code, (uintptr_t)code + PAGE_BYTES, PROT_READ | PROT_EXEC, 0, 2};

    stuck = patches[0];
    begin_inside(&patches[0]);
    set_trap(count_trap);
    begin_thread(set_trap_when_closed, &patches[1]);
    live_write(patches, 2, &run, 1);
    NEED(patches[0].result == LIVE_BUSY);
    NEED(has_trap(other_handler));
    NEED(!signals_is_virtual(SIGTRAP));
}

static void keep_what_is_set_directly(void)
{
    stuck = make(calling, sizeof(calling), &calling_plan);
    begin_inside(&stuck);
    set_trap(count_trap);
    begin_thread(set_trap_directly, NULL);
    NEED(write_one(&stuck) == LIVE_BUSY);
    NEED(has_trap(other_handler));
}

/* As the threads of runtimes that grow stacks: a signal has room on the alternate stack only. */
static void *trap_with_little_room(void *function)
{
    enum {
        ROOM = 256
    };
    static char alternate[65536] __attribute__((aligned(16)));
    const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    char *own = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long result;

    NEED(own != MAP_FAILED && mprotect(own, PAGE_BYTES, PROT_NONE) == 0 && sigaltstack(&stack, NULL) == 0);
    at_work++;
    wait_until_closed(&stuck);
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %2, %%rsp\n\t"
                     "call *%1\n\t"
                     "movq %%rbx, %%rsp"
                     : "=a"(result)
                     : "r"(((struct patch *)function)->window), "r"(own + PAGE_BYTES + ROOM), "D"(0L)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    NEED(result == ADDED_BEFORE || result == ADDED_AFTER);
    at_work++;
    return NULL;
}

static void trap_on_alternate_stack(void)
{
    struct patch patches[] = {make(calling, sizeof(calling), &calling_plan), make_adding()};
    const struct window_run run = {(uintptr_t)code, (uintptr_t)code + PAGE_BYTES, PROT_READ | PROT_EXEC, 0, 2};

    stuck = patches[1];
    begin_inside(&patches[0]);
    begin_thread(trap_with_little_room, &patches[1]);
    live_write(patches, 2, &run, 1);
    while (at_work < 3)
        sched_yield();
    NEED(traps_of_the_program == 0);
}

static pthread_t first_thread;

static void *patch_without_first(void *unused)
{
    struct patch patch = make_adding();

    at_work++;
    NEED(pthread_join(first_thread, NULL) == 0);
    set_trap(count_trap);
    NEED(write_one(&patch) == 0);
    NEED(added(&patch) == ADDED_AFTER);
    NEED(has_trap(count_trap));
    _exit(0);
    return unused;
}

static void leave_first_thread(void)
{
    sigset_t all;

    sigfillset(&all);
    first_thread = pthread_self();
    begin_thread(patch_without_first, NULL);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_exit(NULL);
}

/* Pages that the kernel wipes in a child. */
static int count_marks(void)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    int marks = 0;

    NEED(maps != NULL);
    while (fgets(line, sizeof(line), maps))
        marks += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wf");
    fclose(maps);
    return marks;
}

/* A trap that comes late looks there. */
static void keep_mark(void)
{
    int before = count_marks();

    for (int i = 0; i < 3; i++) {
        struct patch patch = make_adding();

        NEED(write_one(&patch) == 0);
    }
    NEED(count_marks() == before + 1);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"functions are patched while threads sleep", patch_among_sleepers},
    {"and in a process that is not dumpable", patch_undumpable},
    {"a thread that cannot be seen there: refused, and nothing is installed", refuse_unseen},
    {"functions that begin with a system call are refused there", refuse_calls_unseen},
    {"a handler that has to stay passes on, and goes in a later round", stay_installed},
    {"a thread that stays in a window: the function is as it was", refuse_busy},
    {"an action that the program sets meanwhile is kept", keep_what_is_set},
    {"and one that it sets without libc", keep_what_is_set_directly},
    {"a trap on a thread with little room on its own stack", trap_on_alternate_stack},
    {"a first thread that has ended hinders nobody", leave_first_thread},
    {"what tells a forked child stays", keep_mark},
};

static void run_cases(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            code = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            cases[i].run();
            _exit(0);
        }
        waitpid(child, &status, 0);
        if (status != 0)
            fprintf(stderr, "status %#x: %s\n", (unsigned)status, cases[i].name);
        failed += status != 0;
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    static const struct shim_panics panics = {
        .lend = signals_lend, .take_back = signals_take_back, .lent = signals_lent};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_cases),
    };

    signals_init(ignore_claimed);
    own_lock_init();
    live_init(&(struct shim){.panics = &panics, .lanes = &(struct shim_lanes){.own_thread = NULL}});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
