#include "preload/control/patching/live_threads.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/control/patching/live_memory.h"
#include "preload/machine/x86_64/cpu.h"

#define BILLION           INT64_C(1000000000)
#define PROOF_NS          2000000    /* of processor time: longer than a page fault in the window */
#define DEADLINE_NS       1000000000 /* for all threads to be seen: an idle machine takes some milliseconds */
#define NAP_NS            200000
#define THREAD_CLOCK(tid) ((~(long)(tid)) << 3 | 6) /* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED, linux/posix-timers.h */

enum {
    NUMBER_DIGITS = 10,
    BATCH_BYTES = 8192, /* of directory entries */
    TEXT_BYTES = 4096,  /* of a file of /proc */
    THREADS_MAX = 1 << 18,
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

static int number_of(const char *text)
{
    int number = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (*text - '0');
    return *text ? 0 : number;
}

static void note(struct threads *threads, const char *name, int self)
{
    int tid = number_of(name);

    if (tid == 0 || tid == self)
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
    int self = (int)cpu_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
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

/* A file about a thread, into threads->text; 0 bytes: it cannot be read. */
static long read_about(struct threads *threads, int tid, const char *file)
{
    char path[64];
    unsigned used = 0;
    long fd;
    long bytes;

    put_text(path, &used, "/proc/self/task/");
    put_number(path, &used, tid);
    put_text(path, &used, file);
    fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0)
        return 0;
    bytes = cpu_syscall(SYS_read, fd, (long)threads->text, TEXT_BYTES - 1, 0, 0, 0);
    cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return bytes > 0 ? bytes : 0;
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

/* Where a thread is that does not run, by the last word of its line; 0: it runs, or nobody says. */
static uintptr_t blocked_at(struct threads *threads, int tid)
{
    const char *text = threads->text;
    long end = read_about(threads, tid, "/syscall");
    long begin;

    while (end > 0 && text[end - 1] == '\n')
        end--;
    for (begin = end; begin > 0 && text[begin - 1] != ' ';)
        begin--;
    if (end - begin < 3 || text[begin] != '0' || text[begin + 1] != 'x')
        return 0;
    return hexadecimal(text + begin + 2, end - begin - 2);
}

/* Until all threads are judged, or the deadline. */
static bool wait_for(struct threads *threads, live_judge judge, const void *context)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int64_t end = time_of(CLOCK_MONOTONIC) + DEADLINE_NS;
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
    } while (!are_done && time_of(CLOCK_MONOTONIC) < end);
    return are_done;
}

static bool wait_for_all(live_judge judge, const void *context)
{
    struct threads *threads = list();
    bool are_done = threads && threads->is_complete && wait_for(threads, judge, context);

    live_unmap(threads, sizeof(*threads));
    return are_done;
}

struct place {
    live_is_inside is_inside;
    const void *context;
};

static bool has_left(struct threads *threads, const struct seen *seen, const void *context)
{
    const struct place *place = context;
    int64_t now = time_of(THREAD_CLOCK(seen->tid));
    uintptr_t pc;

    if (now < 0)
        return true; /* it is gone */
    if (seen->cpu_ns >= 0 && now - seen->cpu_ns >= PROOF_NS)
        return true;
    pc = blocked_at(threads, seen->tid);
    return pc && !place->is_inside(place->context, pc);
}

bool live_threads_left(live_is_inside is_inside, const void *context)
{
    const struct place place = {is_inside, context};

    return wait_for_all(has_left, &place);
}

/* The line "SigBlk:\t..." of a thread's status. */
static bool takes(struct threads *threads, const struct seen *seen, const void *context)
{
    static const char label[] = "\nSigBlk:\t";
    const int *signal = context;
    const char *text = threads->text;
    long bytes = read_about(threads, seen->tid, "/status");
    long at = 0;

    if (bytes == 0)
        return time_of(THREAD_CLOCK(seen->tid)) < 0; /* it is gone */
    for (unsigned matched = 0; at < bytes && matched < sizeof(label) - 1; at++)
        matched = text[at] == label[matched] ? matched + 1 : text[at] == label[0];
    return !(hexadecimal(text + at, bytes - at) >> (*signal - 1) & 1);
}

bool live_threads_take(int signal)
{
    return wait_for_all(takes, &signal);
}
