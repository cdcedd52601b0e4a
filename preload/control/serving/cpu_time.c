#include "preload/control/serving/cpu_time.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/common/pages.h"
#include "server/segment/segment.h"

enum {
    PROCESSES_MAX = 4096, /* of any more the CPU time is not known */
};

struct process {
    int pid;
    bool is_seen;       /* in this turn */
    bool is_gone;       /* but its block still says that it is its */
    double cpu_seconds; /* up to the turn before */
};

/* CPU time in one turn. */
struct spent {
    double seconds;
    bool is_any_gone;    /* processes ended, and what they did since the turn before was not seen */
    double gone_seconds; /* but this was, in turns before */
};

static struct {
    const struct segment_header *segment;
    struct process *processes;
    size_t count;
    double children_seconds; /* CPU time of children that ended, up to the turn before */
} known;

double cpu_time_on(clockid_t clock)
{
    struct timespec time;

    return clock_gettime(clock, &time) == 0 ? (double)time.tv_sec + (double)time.tv_nsec * 1e-9 : -1;
}

/* Without this thread's, whose work is not the program's. Below 0: there is no such process any more. */
static double process_seconds(int pid)
{
    clockid_t clock;

    if (pid == getpid())
        return cpu_time_on(CLOCK_PROCESS_CPUTIME_ID) - cpu_time_on(CLOCK_THREAD_CPUTIME_ID);
    return clock_getcpuclockid(pid, &clock) == 0 ? cpu_time_on(clock) : -1;
}

/* One that was not there before began, as far as we know, with no CPU time: a child of fork. NULL: no room. */
static struct process *find_process(int pid)
{
    for (size_t i = 0; i < known.count; i++)
        if (known.processes[i].pid == pid)
            return &known.processes[i];
    if (known.count == PROCESSES_MAX)
        return NULL;
    known.processes[known.count] = (struct process){.pid = pid};
    return &known.processes[known.count++];
}

static void add_gone(struct spent *spent, struct process *process)
{
    spent->is_any_gone = true;
    spent->gone_seconds += process->cpu_seconds;
    process->is_gone = true;
}

static void add_process(struct spent *spent, int pid)
{
    struct process *process = find_process(pid);
    double now;

    if (!process || process->is_seen)
        return;
    process->is_seen = true;
    now = process_seconds(pid);
    if (now < 0 && !process->is_gone)
        add_gone(spent, process);
    if (now < process->cpu_seconds)
        return;
    spent->seconds += now - process->cpu_seconds;
    process->cpu_seconds = now;
}

static void forget_processes(struct spent *spent)
{
    size_t count = 0;

    for (size_t i = 0; i < known.count; i++) {
        struct process *process = &known.processes[i];

        if (!process->is_seen && !process->is_gone)
            add_gone(spent, process);
        if (!process->is_seen)
            continue;
        known.processes[count] = *process;
        known.processes[count++].is_seen = false;
    }
    known.count = count;
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

/* What children did that ended: only if some of them counted in the segment, for others are no concern of ours. */
static void add_children(struct spent *spent)
{
    struct rusage usage;
    double before = known.children_seconds;
    double seconds;

    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return;
    known.children_seconds = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
    seconds = known.children_seconds - before - spent->gone_seconds;
    if (spent->is_any_gone && seconds > 0)
        spent->seconds += seconds;
}

/* Our own process comes first: it may have no block yet. */
double cpu_time_spent(uint32_t block_count)
{
    const uint64_t *owners = (const void *)((const char *)known.segment + known.segment->owners);
    struct spent spent = {0};
    int last = getpid();

    add_process(&spent, last);
    for (uint32_t i = 0; i < block_count; i++) {
        int pid = (int)(__atomic_load_n(&owners[i], __ATOMIC_RELAXED) >> 32);

        if (pid == 0 || pid == last)
            continue;
        add_process(&spent, pid);
        last = pid;
    }
    forget_processes(&spent);
    add_children(&spent);
    return spent.seconds;
}

void cpu_time_begin_again(void)
{
    struct rusage usage;

    known.count = 0;
    find_process(getpid())->cpu_seconds = cpu_time_on(CLOCK_PROCESS_CPUTIME_ID);
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0)
        known.children_seconds = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

int cpu_time_init(const struct segment_header *segment)
{
    known.segment = segment;
    known.processes = pages_alloc(PROCESSES_MAX * sizeof(*known.processes));
    if (!known.processes)
        return -ENOMEM;
    cpu_time_begin_again();
    return 0;
}
