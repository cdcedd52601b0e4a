#include "preload/control/patching/live_threads.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/control/patching/live_memory.h"
#include "preload/machine/own_mask.h"
#include "preload/machine/x86_64/cpu.h"

#define BILLION           INT64_C(1000000000)
#define PROOF_NS          2000000    /* of processor time: longer than a page fault in the window */
#define DEADLINE_NS       1000000000 /* for all threads to be seen: an idle machine takes some milliseconds */
#define LOOK_NS           20000000   /* for each thread to be where one can see it, be it for a moment */
#define NAP_NS            200000
#define THREAD_CLOCK(tid) ((~(long)(tid)) << 3 | 6) /* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED, linux/posix-timers.h */

enum {
    NUMBER_DIGITS = 10,
    BATCH_BYTES = 8192, /* of directory entries */
    TEXT_BYTES = 4096,  /* of a file of /proc */
    THREADS_MAX = 1 << 18,
    FLAGS_WORD = 7,          /* of /proc/PID/stat, behind the name (proc(5)) */
    KERNEL_IO_WORKER = 0x10, /* PF_IO_WORKER, linux/sched.h */
};

/* As getdents64(2) has it. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

struct seen {
    int tid;
    bool is_done;
    int64_t cpu_ns; /* at first */
};

/* The other threads, and room to read about them. In memory of its own: nothing may be allocated. */
struct threads {
    size_t count;
    bool is_complete;
    bool is_hopeless; /* a judge has said that it is no use to wait */
    char batch[BATCH_BYTES];
    char text[TEXT_BYTES];
    struct seen at[THREADS_MAX];
};

/* True if there is nothing more to learn of a thread. */
typedef bool (*live_judge)(struct threads *threads, const struct seen *seen, const void *context);

static int64_t time_of(long clock)
{
    struct timespec time;

    if (cpu_syscall(SYS_clock_gettime, clock, (long)&time, 0, 0, 0, 0) != 0)
        return -1;
    return time.tv_sec * BILLION + time.tv_nsec;
}

static int own_tid(void)
{
    return (int)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static int number_of(const char *text)
{
    int number = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (*text - '0');
    return *text ? 0 : number;
}

static int (*own_thread)(void); /* NULL: nobody knows of one */
static long read_about(struct threads *threads, int tid, const char *file);

/* Of a thread that the kernel has made for io_uring: it has the program's memory, and runs none of its code. By its
 * flags, six words behind its name, which may have any characters. */
static bool is_kernels(struct threads *threads, int tid)
{
    long at = read_about(threads, tid, "/stat");
    unsigned flags = 0;

    while (at > 0 && threads->text[at - 1] != ')')
        at--;
    if (at == 0)
        return false;
    for (int words = 0; words < FLAGS_WORD && threads->text[at]; at++)
        words += threads->text[at] == ' ';
    for (; threads->text[at] >= '0' && threads->text[at] <= '9'; at++)
        flags = flags * 10 + (unsigned)(threads->text[at] - '0');
    return flags & KERNEL_IO_WORKER;
}

static bool is_programs(struct threads *threads, int tid)
{
    return !(own_thread && own_thread() == tid) && !is_kernels(threads, tid);
}

static void note(struct threads *threads, const char *name, int self)
{
    int tid = number_of(name);

    if (tid == 0 || tid == self || !is_programs(threads, tid))
        return;
    if (threads->count == THREADS_MAX)
        threads->is_complete = false;
    else
        threads->at[threads->count++] = (struct seen){.tid = tid, .cpu_ns = time_of(THREAD_CLOCK(tid))};
}

static struct threads *list(void)
{
    static const char path[] = "/proc/self/task";
    struct threads *threads = live_map(sizeof(*threads));
    int self = own_tid();
    long bytes = -1;
    long fd;

    if (!threads)
        return NULL;
    fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
    threads->is_complete = true;
    while (fd >= 0 && (bytes = cpu_syscall(SYS_getdents64, fd, (long)threads->batch, BATCH_BYTES, 0, 0, 0)) > 0)
        for (long at = 0; at < bytes; at += ((struct entry *)(void *)(threads->batch + at))->bytes)
            note(threads, ((struct entry *)(void *)(threads->batch + at))->name, self);
    if (bytes != 0)
        threads->is_complete = false;
    if (fd >= 0)
        cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return threads;
}

static void put_text(char *path, unsigned *used, const char *text)
{
    while (*text)
        path[(*used)++] = *text++;
    path[*used] = '\0';
}

static void put_number(char *path, unsigned *used, int number)
{
    char digits[NUMBER_DIGITS + 1];
    unsigned at = NUMBER_DIGITS;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_text(path, used, digits + at);
}

/* A file about a thread, into threads->text, with a NUL behind it. -errno: it cannot be opened. */
static long read_about(struct threads *threads, int tid, const char *file)
{
    char path[64];
    unsigned used = 0;
    long fd;
    long bytes;

    put_text(path, &used, "/proc/self/task/");
    put_number(path, &used, tid);
    put_text(path, &used, file);
    threads->text[0] = '\0';
    fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return fd;
    bytes = cpu_syscall(SYS_read, fd, (long)threads->text, TEXT_BYTES - 1, 0, 0, 0);
    cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    bytes = bytes > 0 ? bytes : 0;
    threads->text[bytes] = '\0';
    return bytes;
}

static uint64_t hexadecimal(const char *text, long bytes)
{
    uint64_t value = 0;

    for (long i = 0; i < bytes; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;

        if (digit > 15)
            break;
        value = value << 4 | digit;
    }
    return value;
}

/* By the last word of a thread's line in `syscall`; 0: it runs, or has ended. */
static uintptr_t blocked_at(const char *text, long end)
{
    long begin;

    while (end > 0 && text[end - 1] == '\n')
        end--;
    for (begin = end; begin > 0 && text[begin - 1] != ' ';)
        begin--;
    if (end - begin < 3 || text[begin] != '0' || text[begin + 1] != 'x')
        return 0;
    return hexadecimal(text + begin + 2, end - begin - 2);
}

static bool begins_with(const char *text, const char *begin)
{
    while (*begin && *text == *begin) {
        text++;
        begin++;
    }
    return !*begin;
}

/* `pattern` that ends in "_" stands for all names that begin so; compilers append to others (".constprop.0"). */
static bool is_named(const char *name, const char *pattern)
{
    size_t end = 0;

    while (pattern[end])
        end++;
    return begins_with(name, pattern) && (pattern[end - 1] == '_' || !name[end] || name[end] == '.');
}

/* How a thread's state is called: "R" runs, "Z" has ended, ... '\0': nobody says. */
static char state_of(struct threads *threads, int tid)
{
    long at = read_about(threads, tid, "/stat");

    while (at > 0 && threads->text[at - 1] != ')') /* its name may have any characters */
        at--;
    return at > 0 && threads->text[at] == ' ' ? threads->text[at + 1] : '\0';
}

/* Its processor time cannot be asked, or its place in the list is all that is left of it (the first thread, while
 * others go on). */
static bool has_ended(struct threads *threads, int tid)
{
    char state;

    if (time_of(THREAD_CLOCK(tid)) < 0)
        return true;
    state = state_of(threads, tid);
    return state == 'Z' || state == 'X';
}

/* Functions of the kernel, from Linux 4.14 to 6.18, that threads sleep in because of a system call, and never because
 * of a page fault or on the way out of an interrupt. What is not listed proves nothing. */
static const char *const calls[] = {
    "futex_", /* futex_wait_queue_me, futex_wait_queue, futex_do_wait */
    "__futex_",
    "ep_poll",
    "do_epoll_",
    "poll_schedule_timeout",
    "do_poll",
    "do_sys_poll",
    "do_select",
    "hrtimer_nanosleep",
    "do_nanosleep",
    "pipe_", /* pipe_read, pipe_wait */
    "anon_pipe_",
    "wait_woken", /* terminals, TCP */
    "sk_wait_data",
    "inet_csk_accept",
    "inet_csk_wait_for_connect",
    "unix_stream_",
    "unix_wait_for_peer",
    "__skb_wait_for_more_packets",
    "do_wait", /* wait4, waitid */
    "do_sigtimedwait",
    "sigsuspend",
    "__do_sys_", /* pause */
    "__x64_sys_",
    "io_cqring_wait",
    "eventfd_",
    "signalfd_",
    "timerfd_",
    "inotify_read",
    "do_semtimedop",
    "__do_semtimedop",
    "do_msgrcv",
    "do_msgsnd",
    "wq_sleep", /* mq_receive, mq_send */
};

static bool is_in_a_call(struct threads *threads, int tid)
{
    if (read_about(threads, tid, "/wchan") <= 0)
        return false;
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (is_named(threads->text, calls[i]))
            return true;
    return false;
}

/* Until all threads are judged, or the deadline. */
static bool wait_for(struct threads *threads, live_judge judge, const void *context, int64_t wait_ns)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int64_t end = time_of(CLOCK_MONOTONIC) + wait_ns;
    bool are_done;

    do {
        are_done = true;
        for (size_t i = 0; i < threads->count; i++) {
            struct seen *seen = &threads->at[i];

            seen->is_done = seen->is_done || judge(threads, seen, context);
            are_done = are_done && seen->is_done;
        }
        if (!are_done)
            cpu_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
    } while (!are_done && !threads->is_hopeless && time_of(CLOCK_MONOTONIC) < end);
    return are_done;
}

static bool wait_for_all(live_judge judge, const void *context, int64_t wait_ns)
{
    struct threads *threads = list();
    bool are_done = threads && threads->is_complete && wait_for(threads, judge, context, wait_ns);

    live_unmap(threads, sizeof(*threads));
    return are_done;
}

/* It runs, which its processor time proves sooner or later, or one can see that it does not stand in a window. */
static bool is_seen(struct threads *threads, const struct seen *seen, const void *unused)
{
    (void)unused;
    return is_in_a_call(threads, seen->tid) || has_ended(threads, seen->tid) || state_of(threads, seen->tid) == 'R';
}

void live_threads_init(int (*given)(void))
{
    own_thread = given;
}

enum live_company live_threads_are_there(void)
{
    struct threads *threads = list();
    enum live_company company = LIVE_NOBODY_KNOWS;

    if (threads && threads->count > 0)
        company = LIVE_WITH_OTHERS;
    else if (threads && threads->is_complete)
        company = LIVE_ALONE;
    live_unmap(threads, sizeof(*threads));
    return company;
}

enum live_sight live_threads_look(void)
{
    struct threads *threads = list();
    bool has_places =
        threads && ((threads->is_complete && threads->count == 0) || read_about(threads, own_tid(), "/syscall") > 0);

    live_unmap(threads, sizeof(*threads));
    if (has_places)
        return LIVE_SIGHT_PLACES;
    return wait_for_all(is_seen, NULL, LOOK_NS) ? LIVE_SIGHT_CALLS : LIVE_SIGHT_NONE;
}

struct place {
    enum live_sight sight;
    live_is_inside is_inside;
    const void *context;
};

static bool has_left(struct threads *threads, const struct seen *seen, const void *context)
{
    const struct place *place = context;
    int64_t now = time_of(THREAD_CLOCK(seen->tid));
    long bytes;
    uintptr_t pc;

    if (now < 0 || (seen->cpu_ns >= 0 && now - seen->cpu_ns >= PROOF_NS))
        return true;
    bytes = read_about(threads, seen->tid, "/syscall");
    pc = blocked_at(threads->text, bytes);
    if (pc)
        return !place->is_inside(place->context, pc);
    if (bytes < 0 && place->sight == LIVE_SIGHT_CALLS && is_in_a_call(threads, seen->tid))
        return true;
    return has_ended(threads, seen->tid);
}

bool live_threads_left(enum live_sight sight, live_is_inside is_inside, const void *context)
{
    const struct place place = {sight, is_inside, context};

    return wait_for_all(has_left, &place, DEADLINE_NS);
}

/* What a thread blocks, in its status; NULL: nobody says. */
static const char *find_blocked(const char *text)
{
    static const char label[] = "\nSigBlk:\t";

    while (*text && !begins_with(text, label))
        text++;
    return *text ? text + sizeof(label) - 1 : NULL;
}

static bool takes(struct threads *threads, const struct seen *seen, const void *context)
{
    const int *signal = context;
    long bytes = read_about(threads, seen->tid, "/status");
    const char *blocked = find_blocked(threads->text);

    if (blocked && !(hexadecimal(blocked, threads->text + bytes - blocked) & SIGNAL_BIT(*signal)))
        return true;
    if (has_ended(threads, seen->tid))
        return true;
    threads->is_hopeless = blocked && state_of(threads, seen->tid) == 'S'; /* it is not just being made */
    return false;
}

bool live_threads_take(int signal)
{
    return wait_for_all(takes, &signal, DEADLINE_NS);
}
