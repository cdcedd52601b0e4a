/* The steps of a round of live patching, in the order of the list in live.h. One thread single-steps through
 * live_write: after each instruction the windows are looked at, before each system call its arguments. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/membarrier.h>

#include "preload/control/patching/live.h"
#include "preload/shim.h"

enum {
    PAGE_BYTES = 4096,
    FUNCTION_BYTES = 64,
    TRAP_FLAG = 0x100,
    JUMP_BYTES = 5,
    WINDOWS = 5,
};

/* How a window may be while it is written. Nobody but the thread that writes sees it in two at once. */
enum stage {
    STAGE_ORIGINAL,
    STAGE_CLOSED,
    STAGE_FILLING,
    STAGE_FILLED,
    STAGE_JUMP,
    STAGE_TORN, /* in none of these: a thread that comes there runs something that nobody wrote */
};

struct window {
    const char *name;
    unsigned at_word; /* its first byte's place in a word of 8 */
    struct patch_plan plan;
    uint8_t closing[2]; /* what keeps others out; none: the whole jump at once */
    unsigned closing_bytes;
    struct patch *patch;
    enum stage stage;
};

static struct window windows[WINDOWS] = {
    {"one instruction in a word",
     0,
     {.window_bytes = 5, .instruction_count = 1, .instructions = {{0, 5}}, .original = {0xb8, 1, 2, 3, 4}},
     {0},
     0,
     NULL,
     STAGE_ORIGINAL},
    {"one instruction in two words",
     4,
     {.window_bytes = 5, .instruction_count = 1, .instructions = {{0, 5}}, .original = {0xb8, 1, 2, 3, 4}},
     {0xeb, 0xfe},
     2,
     NULL,
     STAGE_ORIGINAL},
    {"two instructions, the first of two bytes",
     0,
     {.window_bytes = 5,
      .instruction_count = 4,
      .instructions = {{0, 2}, {2, 2}, {4, 1}, {5, 1}},
      .original = {0x89, 0xf8, 0x0f, 0x05, 0x90}},
     {0xeb, 0xfe},
     2,
     NULL,
     STAGE_ORIGINAL},
    {"two instructions, the first of one byte",
     0,
     {.window_bytes = 5,
      .instruction_count = 2,
      .instructions = {{0, 1}, {1, 4}},
      .original = {0x55, 0x48, 0x8d, 0x47, 1}},
     {0xcc},
     1,
     NULL,
     STAGE_ORIGINAL},
    {"the first two bytes in two words",
     7,
     {.window_bytes = 5, .instruction_count = 1, .instructions = {{0, 5}}, .original = {0xb8, 1, 2, 3, 4}},
     {0xcc},
     1,
     NULL,
     STAGE_ORIGINAL},
};

static struct patch patches[WINDOWS];
static uint8_t *code;

/* What was seen, each word once in a row. */
static char events[1024];
static pid_t own_tid;

static void note(const char *event)
{
    static const char *last;
    size_t used = strlen(events);

    if (used && strcmp(event, last) == 0)
        return;
    last = event;
    snprintf(events + used, sizeof(events) - used, "%s%s", used ? " " : "", event);
}

/* Windows ---------------------------------------------------------------------------------------------------------- */

static void jump_of(const struct patch *patch, uint8_t *ret_jump)
{
    int32_t distance = (int32_t)(patch->target - (patch->window + JUMP_BYTES));

    ret_jump[0] = 0xe9;
    memcpy(ret_jump + 1, &distance, sizeof(distance));
}

/* Closed, and so many bytes behind what closes it are those of the jump: from the first on. */
static enum stage stage_of_closed(const struct window *window, const uint8_t *jump)
{
    unsigned filled = 0;

    for (unsigned i = window->closing_bytes; i < JUMP_BYTES; i++) {
        uint8_t byte = window->patch->window[i];

        if (byte == jump[i] && filled == i - window->closing_bytes)
            filled++;
        else if (byte != window->plan.original[i])
            return STAGE_TORN;
    }
    if (filled == JUMP_BYTES - window->closing_bytes)
        return STAGE_FILLED;
    return filled ? STAGE_FILLING : STAGE_CLOSED;
}

static enum stage stage_of(const struct window *window)
{
    uint8_t jump[JUMP_BYTES];

    jump_of(window->patch, jump);
    if (memcmp(window->patch->window, window->plan.original, JUMP_BYTES) == 0)
        return STAGE_ORIGINAL;
    if (memcmp(window->patch->window, jump, JUMP_BYTES) == 0)
        return STAGE_JUMP;
    if (window->closing_bytes && memcmp(window->patch->window, window->closing, window->closing_bytes) == 0)
        return stage_of_closed(window, jump);
    return STAGE_TORN;
}

static const char *step_to(const struct window *window, enum stage stage)
{
    if (stage == STAGE_CLOSED || (stage == STAGE_JUMP && !window->closing_bytes))
        return "close";
    if (stage == STAGE_FILLING || stage == STAGE_FILLED)
        return "fill";
    if (stage == STAGE_JUMP)
        return window->stage == STAGE_FILLED ? "admit" : "torn";
    return stage == STAGE_ORIGINAL ? "give_back" : "torn";
}

static void look_at_windows(void)
{
    for (int i = 0; i < WINDOWS; i++) {
        enum stage stage = stage_of(&windows[i]);

        if (stage == windows[i].stage)
            continue;
        note(step_to(&windows[i], stage));
        windows[i].stage = stage;
    }
}

/* System calls ----------------------------------------------------------------------------------------------------- */

/* A file about a thread: where it is, or what it blocks. */
static void note_file(const char *path)
{
    int tid = 0;

    if (sscanf(path, "/proc/self/task/%d/", &tid) != 1 || !strstr(path, "/syscall"))
        return;
    note(tid == own_tid ? "look" : "clear");
}

static void note_call(const greg_t *registers)
{
    uintptr_t address = (uintptr_t)registers[REG_RDI];
    bool is_code = address == (uintptr_t)code;

    switch (registers[REG_RAX]) {
    case SYS_mprotect:
        if (is_code)
            note(registers[REG_RDX] & PROT_WRITE ? "open" : "shut");
        break;
    case SYS_membarrier:
        if (registers[REG_RDI] == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)
            note("sync");
        break;
    case SYS_openat:
        note_file((const char *)registers[REG_RSI]);
        break;
    case SYS_rt_sigprocmask:
        note(registers[REG_RDI] == SIG_BLOCK ? "block" : "unblock");
        break;
    default:
        break;
    }
}

static void on_step(int number, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *next = (const uint8_t *)registers[REG_RIP];

    (void)number, (void)info;
    look_at_windows();
    if (next[0] == 0x0f && next[1] == 0x05)
        note_call(registers);
}

static void set_stepping(bool is_on)
{
    uint64_t flags;

    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %0\n\tleaq 128(%%rsp), %%rsp" : "=r"(flags));
    flags = is_on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushq %0\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
                     :
                     : "r"(flags)
                     : "cc", "memory");
}

/* SIGTRAP is this test's own: what live_traps.c would install is kept, and never comes into play. */
static bool lend(int number, const struct kernel_action *action)
{
    (void)number, (void)action;
    note("arm");
    return true;
}

static void take_back(int number)
{
    (void)number;
    note("disarm");
}

static struct kernel_action lent(void)
{
    return (struct kernel_action){0};
}

/* Rounds ----------------------------------------------------------------------------------------------------------- */

static void make_windows(void)
{
    code = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(code != MAP_FAILED);
    for (int i = 0; i < WINDOWS; i++) {
        uint8_t *at = code + FUNCTION_BYTES * (i + 1) + windows[i].at_word;

        memcpy(at, windows[i].plan.original, JUMP_BYTES);
        memcpy(at + JUMP_BYTES, (uint8_t[]){0x90, 0xc3}, 2);
        patches[i] = (struct patch){.plan = &windows[i].plan, .window = at, .target = code + 0x123457};
        windows[i].patch = &patches[i];
    }
    mprotect(code, PAGE_BYTES, PROT_READ | PROT_EXEC);
}

static _Atomic int other_tid;

static void *sleep_outside(void *unused)
{
    other_tid = (int)syscall(SYS_gettid);
    poll(NULL, 0, -1);
    return unused;
}

/* In the system call of a window. */
static void *sleep_inside(void *unused)
{
    long number = SYS_pause;

    other_tid = (int)syscall(SYS_gettid);
    __asm__ volatile("call *%1"
                     : "+D"(number)
                     : "r"(windows[2].patch->window)
                     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    return unused;
}

static bool is_asleep(int number)
{
    char text[128] = "";
    char path[64];
    int at = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", other_tid);
    file = fopen(path, "r");
    assert_non_null(file);
    if (!fgets(text, sizeof(text), file) || sscanf(text, "%d ", &at) != 1)
        at = -1;
    fclose(file);
    return at == number;
}

static void begin_thread(void *(*run)(void *), int number)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    while (other_tid == 0 || !is_asleep(number))
        sched_yield();
}

static void run_round(void *(*other)(void *), int number)
{
    const struct window_run run = {(uintptr_t)code, (uintptr_t)code + PAGE_BYTES, PROT_READ | PROT_EXEC, 0, WINDOWS};
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

    own_tid = (pid_t)syscall(SYS_gettid);
    begin_thread(other, number);
    sigaction(SIGTRAP, &action, NULL);
    set_stepping(true);
    live_write(patches, WINDOWS, &run, 1);
    set_stepping(false);
    look_at_windows();
}

static const struct {
    const char *name;
    void *(*other)(void *);
    int call; /* in which the other thread sleeps */
    const char *steps;
    enum stage expected[WINDOWS];
} rounds[] = {
    {"nobody is in the way",
     sleep_outside,
     SYS_poll,
     "block open look arm close sync clear fill sync admit sync clear disarm shut unblock",
     {STAGE_JUMP, STAGE_JUMP, STAGE_JUMP, STAGE_JUMP, STAGE_JUMP}},
    {"a thread stays in a window: those where one may be are given back",
     sleep_inside,
     SYS_pause,
     "block open look arm close sync clear fill sync admit give_back sync clear disarm shut unblock",
     {STAGE_JUMP, STAGE_JUMP, STAGE_ORIGINAL, STAGE_ORIGINAL, STAGE_JUMP}},
};

static bool is_as_expected(size_t round)
{
    bool is_right = strcmp(events, rounds[round].steps) == 0;

    for (int i = 0; i < WINDOWS; i++) {
        if (windows[i].stage == rounds[round].expected[i])
            continue;
        fprintf(stderr, "%s: stage %d\n", windows[i].name, windows[i].stage);
        is_right = false;
    }
    if (!is_right)
        fprintf(stderr, "%s:\n  expected: %s\n  actual:   %s\n", rounds[round].name, rounds[round].steps, events);
    return is_right;
}

/* Each in a process of its own, which its other thread ends with. */
static void each_step_comes_in_its_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rounds) / sizeof(*rounds); i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            alarm(60);
            make_windows();
            run_round(rounds[i].other, rounds[i].call);
            _exit(is_as_expected(i) ? 0 : 1);
        }
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    static const struct shim_panics panics = {.lend = lend, .take_back = take_back, .lent = lent};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_comes_in_its_order),
    };

    live_init(&(struct shim){.panics = &panics, .lanes = &(struct shim_lanes){.own_thread = NULL}});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
