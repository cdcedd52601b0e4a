/* Tracked calls, stepped through: a handler forks at each instruction of the preload object's, and the child returns
 * into that. Each way for a call to end. Without the preload object it makes no child. */
#include "victim.h"

#include <cerrno>
#include <climits>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/wait.h>
#include <ucontext.h>

enum {
    STEPS_MAX = 20000,
    WARM_CALLS = 10,
    FIRST_STRIDE = 997,
    ITEMS = 7
};

static volatile sig_atomic_t forks;
static volatile sig_atomic_t is_child;
static volatile sig_atomic_t passed; /* instructions */
static int stride = 1;
static uintptr_t code_low, code_high;

extern "C" {
TRACKED int work(int value, int items);
TRACKED int around(int value, int items);
TRACKED int inner(int value, int items);
TRACKED int outer(int value, int items);
}

int work(int value, int items)
{
    (void)items;
    TOUCH();
    errno = value < 0 ? EDOM : 0;
    return value < 0 ? -1 : value + 1;
}

int around(int value, int items)
{
    int result = work(value, items);

    TOUCH();
    return result;
}

static int (*way)(int); /* how inner ends */
static jmp_buf out;
static void *unseen[5];

int inner(int value, int items)
{
    (void)items;
    TOUCH();
    return way ? way(value) : value;
}

int outer(int value, int items)
{
    int result = -1;

    if (__builtin_setjmp(unseen) == 0)
        result = inner(value, items);
    TOUCH();
    return result;
}

static int by_jump(int value)
{
    (void)value;
    longjmp(out, 1);
}

/* Nobody sees it: outer returns while inner's record is linked in. */
static int by_unseen_jump(int value)
{
    (void)value;
    __builtin_longjmp(unseen, 1);
}

static int by_exception(int value)
{
    throw value;
}

static int by_end_of_thread(int value)
{
    (void)value;
    pthread_exit(nullptr);
}

static inline __attribute__((always_inline)) void trap_on()
{
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

static inline __attribute__((always_inline)) void trap_off()
{
    __asm__ volatile("pushfq\n\tandq $-0x101, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

/* With a frame pointer: the unwinding tables do not know of the pushes above. */
static __attribute__((noinline, optimize("no-omit-frame-pointer"))) int stepped(int (*function)(int, int), int value)
{
    int result = 0;

    try {
        if (setjmp(out) == 0) {
            trap_on();
            result = function(value, ITEMS);
        }
    } catch (int) {
    }
    trap_off();
    return result;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!strstr(info->dlpi_name, "/libcallmeter.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            code_low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            code_high = code_low + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static void on_step(int, siginfo_t *, void *context)
{
    int saved_errno = errno;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t ip = (uintptr_t)registers[REG_RIP];
    pid_t child;
    int status = 0;

    passed = passed + 1;
    if (ip < code_low || ip >= code_high || passed % stride != 0)
        return;
    child = forks < STEPS_MAX ? fork() : -1;
    forks = forks + 1;
    if (child == 0)
        is_child = 1;
    if (child <= 0)
        registers[REG_EFL] &= ~0x100L;
    if (child > 0) {
        CHECK(waitpid(child, &status, 0) == child);
        if (status)
            printf("FAILED: the child at %#lx\n", (unsigned long)(ip - code_low));
    }
    errno = saved_errno;
}

/* The first calls of a thread go a longer way. */
static void steps_begin()
{
    struct sigaction action = {};

    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);
    dl_iterate_phdr(find_code, nullptr);
    for (int i = 0; i < WARM_CALLS; i++) {
        around(i, ITEMS);
        outer(i, ITEMS);
    }
}

static void steps_end()
{
    if (is_child)
        _exit(0);
    signal(SIGTRAP, SIG_DFL);
    CHECK(forks < STEPS_MAX && (forks > 20 || !code_high));
    puts("truth around success=*");
    puts("truth work success=*");
    puts("truth outer success=*");
    puts("truth inner success=*");
}

/* One that succeeds, and one that fails. */
static void returning()
{
    steps_begin();
    CHECK(stepped(around, 1) == 2);
    if (!is_child)
        CHECK(stepped(around, -1) == -1);
    steps_end();
}

/* The first jump or exception goes a longer way, of which `first` instructions are passed at a time. */
static void leave_twice(int (*function)(int, int), int (*by)(int), int first)
{
    way = by;
    stride = first;
    stepped(function, 1);
    stride = 1;
    if (!is_child)
        stepped(function, 1);
}

static void leaving(int (*function)(int, int), int (*by)(int), int first)
{
    steps_begin();
    leave_twice(function, by, first);
    steps_end();
}

static void jumping()
{
    leaving(inner, by_jump, FIRST_STRIDE);
}

static void jumping_unseen()
{
    leaving(outer, by_unseen_jump, INT_MAX);
}

static void throwing()
{
    leaving(inner, by_exception, 1);
}

/* The thread's own end is not stepped through. */
struct stepping {
    ~stepping()
    {
        trap_off();
    }
};

static void *end_stepped(void *)
{
    stepping here;

    for (int i = 0; i < WARM_CALLS; i++)
        around(i, ITEMS);
    stride = INT_MAX;
    way = by_jump;
    stepped(inner, 1);
    stride = 1;
    way = by_end_of_thread;
    stepped(inner, 1);
    return nullptr;
}

/* A child has no other thread: it ends with this one. */
static void ending()
{
    pthread_t thread;

    steps_begin();
    CHECK(pthread_create(&thread, nullptr, end_stepped, nullptr) == 0);
    pthread_join(thread, nullptr);
    steps_end();
}

int main(int argc, char **argv)
{
    static const struct victim_mode modes[] = {
        {"returning", returning}, {"jumping", jumping}, {"jumping-unseen", jumping_unseen},
        {"throwing", throwing},   {"ending", ending},   {nullptr, nullptr},
    };

    setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
    return victim_main(argc, argv, modes);
}
