/* The standard process_* metrics. */
#include "server/common/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct process_metric_text process_metric_texts[PROCESS_METRICS] = {
    [PROCESS_CPU_SECONDS] = {"process_cpu_seconds_total", "counter",
                             "Total user and system CPU time spent in seconds."},
    [PROCESS_MAX_FDS] = {"process_max_fds", "gauge", "Maximum number of open file descriptors."},
    [PROCESS_OPEN_FDS] = {"process_open_fds", "gauge", "Number of open file descriptors."},
    [PROCESS_RESIDENT_BYTES] = {"process_resident_memory_bytes", "gauge", "Resident memory size in bytes."},
    [PROCESS_START_TIME] = {"process_start_time_seconds", "gauge",
                            "Start time of the process since unix epoch in seconds."},
    [PROCESS_THREADS] = {"process_threads", "gauge", "Number of threads, callmeter's own included."},
    [PROCESS_VIRTUAL_BYTES] = {"process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes."},
    [PROCESS_VIRTUAL_MAX_BYTES] = {"process_virtual_memory_max_bytes", "gauge",
                                   "Maximum amount of virtual memory available in bytes."},
};

/* Fields of /proc/PID/stat as proc(5) numbers them. */
enum {
    STAT_STATE = 3,
    STAT_THREADS = 20,
    STAT_START_TIME = 22,
    STAT_VSIZE = 23,
    STAT_RSS = 24,
    STAT_EXIT_CODE = 52,
    STAT_FIELDS,
};

static void set(struct process_stats *stats, enum process_metric metric, double value)
{
    stats->metrics[metric].is_known = true;
    stats->metrics[metric].value = value;
}

static double clock_seconds(clockid_t clock)
{
    struct timespec time = {0};

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* -1 if it cannot be read. */
static ssize_t read_file(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return -1;
    length = read(fd, text, bytes - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length;
}

/* Fields from the third on; the second is the name, which may hold anything, parentheses and spaces too. */
static bool read_stat(double fields[STAT_FIELDS])
{
    char text[1024];
    const char *cursor;
    char *end;

    if (read_file("/proc/self/stat", text, sizeof(text)) <= 0)
        return false;
    cursor = strrchr(text, ')');
    if (!cursor || strlen(cursor) < 4)
        return false;
    fields[STAT_STATE] = (unsigned char)cursor[2];
    cursor += 3; /* ") S" */
    for (int i = 4; i < STAT_FIELDS; i++, cursor = end) {
        fields[i] = (double)strtoll(cursor, &end, 10);
        if (end == cursor)
            return false;
    }
    return true;
}

/* Both clocks count since the boot of the machine, or of the time namespace. */
static double start_time(double start_ticks)
{
    double since_boot = start_ticks / (double)sysconf(_SC_CLK_TCK);
    double boot_time = clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME);

    return (double)(long long)((boot_time + since_boot) * 100) / 100;
}

static void read_sizes(struct process_stats *stats)
{
    double fields[STAT_FIELDS];

    if (!read_stat(fields))
        return;
    set(stats, PROCESS_THREADS, fields[STAT_THREADS]);
    set(stats, PROCESS_VIRTUAL_BYTES, fields[STAT_VSIZE]);
    set(stats, PROCESS_RESIDENT_BYTES, fields[STAT_RSS] * (double)sysconf(_SC_PAGESIZE));
    if (!stats->metrics[PROCESS_START_TIME].is_known)
        set(stats, PROCESS_START_TIME, start_time(fields[STAT_START_TIME]));
}

/* The descriptor that lists the folder is in the list itself, unless the thread has a table of its own. */
static bool is_listing(DIR *folder, const char *name)
{
    struct stat listing;
    struct stat entry;

    return fstat(dirfd(folder), &listing) == 0 && fstatat(dirfd(folder), name, &entry, 0) == 0 &&
           listing.st_dev == entry.st_dev && listing.st_ino == entry.st_ino;
}

static void list_fds(struct process_stats *stats)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    double count = 0;

    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.' && !(atoi(entry->d_name) == dirfd(folder) && is_listing(folder, entry->d_name)))
            count++;
    closedir(folder);
    set(stats, PROCESS_OPEN_FDS, count);
}

/* Since Linux 6.2 the folder's size is the number of its entries. */
static void count_fds(struct process_stats *stats)
{
    struct stat status;

    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
        set(stats, PROCESS_OPEN_FDS, (double)status.st_size);
    else
        list_fds(stats);
}

static void read_limit(struct process_stats *stats, enum process_metric metric, __rlimit_resource_t resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == 0)
        set(stats, metric, (double)limit.rlim_cur); /* no limit is 2^64, as in Go's client */
}

void process_read(struct process_stats *stats)
{
    for (int i = 0; i < PROCESS_METRICS; i++)
        if (i != PROCESS_START_TIME)
            stats->metrics[i].is_known = false;
    set(stats, PROCESS_CPU_SECONDS, clock_seconds(CLOCK_PROCESS_CPUTIME_ID));
    read_limit(stats, PROCESS_MAX_FDS, RLIMIT_NOFILE);
    read_limit(stats, PROCESS_VIRTUAL_MAX_BYTES, RLIMIT_AS);
    read_sizes(stats);
    count_fds(stats);
}

bool process_is_over(int *ret_status)
{
    double fields[STAT_FIELDS];

    if (!read_stat(fields) || fields[STAT_STATE] != 'Z' || fields[STAT_THREADS] > 2)
        return false;
    *ret_status = (int)fields[STAT_EXIT_CODE] >> 8 & 0xFF;
    return true;
}
