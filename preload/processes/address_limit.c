#include "preload/processes/address_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/machine/x86_64/cpu.h"

#define MIB        (UINT64_C(1) << 20)
#define PAGE_BYTES 4096

enum {
    STATM_BYTES = 128,
    STATM_SIZE = 0, /* fields of /proc/self/statm, proc(5) */
    STATM_DATA = 5,
};

/* One of the two limits. `asked` is what the program asked for last, `given` what the kernel was given for it. Where
 * the kernel says something else it was another process that asked (a child of vfork), or nobody did by these
 * functions. */
static struct hidden {
    int resource;
    unsigned field;
    rlim_t later; /* what may come: the arena that libc makes for a thread of ours, stacks, blocks of counters */
    rlim_t at_begin;
    rlim_t ours; /* bytes; 0: nothing is to be hidden */
    struct rlimit asked;
    struct rlimit given;
    bool is_set;
} limits[] = {
    {.resource = RLIMIT_AS, .field = STATM_SIZE, .later = 80 * MIB},
    {.resource = RLIMIT_DATA, .field = STATM_DATA, .later = 8 * MIB},
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

/* In bytes; 0: it cannot be read. By system calls, since functions of libc may be tracked already. */
static rlim_t statm(unsigned field)
{
    static const char path[] = "/proc/self/statm";
    char text[STATM_BYTES];
    long fd = cpu_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    long length = fd >= 0 ? cpu_syscall(SYS_read, fd, (long)text, sizeof(text), 0, 0, 0) : -1;
    rlim_t pages = 0;

    if (fd >= 0)
        cpu_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    for (long i = 0; i < length; i++) {
        if (text[i] == ' ')
            field--;
        else if (field == 0 && text[i] >= '0' && text[i] <= '9')
            pages = pages * 10 + (rlim_t)(text[i] - '0');
    }
    return pages * PAGE_BYTES;
}

void address_limit_ours_begin(void)
{
    for (size_t i = 0; i < LIMITS; i++)
        limits[i].at_begin = statm(limits[i].field);
}

void address_limit_ours_end(void)
{
    for (size_t i = 0; i < LIMITS; i++) {
        struct hidden *limit = &limits[i];
        rlim_t now = statm(limit->field);

        if (limit->at_begin > 0 && now > limit->at_begin)
            limit->ours += now - limit->at_begin + (limit->ours == 0 ? limit->later : 0);
    }
}

static int kernel_limit(const struct hidden *limit, const struct rlimit *value, struct rlimit *old)
{
    long result = cpu_syscall(SYS_prlimit64, 0, limit->resource, (long)value, (long)old, 0, 0);

    if (result == 0)
        return 0;
    errno = (int)-result;
    return -1;
}

static bool is_same(const struct rlimit *a, const struct rlimit *b)
{
    return a->rlim_cur == b->rlim_cur && a->rlim_max == b->rlim_max;
}

static rlim_t with_ours(const struct hidden *limit, rlim_t bytes)
{
    return bytes > RLIM_INFINITY - limit->ours ? RLIM_INFINITY : bytes + limit->ours;
}

static struct rlimit shown(const struct hidden *limit, const struct rlimit *kernel)
{
    return limit->is_set && is_same(kernel, &limit->given) ? limit->asked : *kernel;
}

/* Who may not raise the hard limit keeps the one that is there: ours cannot be added to it. */
static struct rlimit enlarged(const struct hidden *limit, const struct rlimit *asked, const struct rlimit *kernel)
{
    struct rlimit current = shown(limit, kernel);
    struct rlimit given = {.rlim_cur = with_ours(limit, asked->rlim_cur),
                           .rlim_max = with_ours(limit, asked->rlim_max)};

    if (asked->rlim_max <= current.rlim_max && given.rlim_max > kernel->rlim_max)
        given.rlim_max = kernel->rlim_max;
    if (given.rlim_cur > given.rlim_max)
        given.rlim_cur = given.rlim_max;
    return given;
}

/* The kernel reads the new limit before it finds that there is no such resource. */
static bool can_be_read(const struct rlimit *value)
{
    return cpu_syscall(SYS_prlimit64, 0, RLIM_NLIMITS, (long)value, 0, 0, 0) != -EFAULT;
}

static int limit_set(struct hidden *limit, const struct rlimit *asked, const struct rlimit *kernel)
{
    struct rlimit given;

    if (asked->rlim_cur > asked->rlim_max)
        return kernel_limit(limit, asked, NULL);
    given = enlarged(limit, asked, kernel);
    if (kernel_limit(limit, &given, NULL) != 0)
        return -1;
    limit->asked = *asked;
    limit->given = given;
    limit->is_set = true;
    return 0;
}

static struct hidden *hidden_of(int resource)
{
    for (size_t i = 0; i < LIMITS; i++)
        if (limits[i].resource == resource && limits[i].ours > 0)
            return &limits[i];
    return NULL;
}

bool address_limit_is_hidden(int resource)
{
    return hidden_of(resource) != NULL;
}

int address_limit_change(int resource, const struct rlimit *asked, struct rlimit *old)
{
    struct hidden *limit = hidden_of(resource);
    struct rlimit wanted;
    struct rlimit kernel;
    struct rlimit before;

    if (asked && !can_be_read(asked)) {
        errno = EFAULT;
        return -1;
    }
    if (asked)
        wanted = *asked; /* both may be one */
    if (kernel_limit(limit, NULL, &kernel) != 0 || (old && kernel_limit(limit, NULL, old) != 0))
        return -1;
    before = shown(limit, &kernel);
    if (asked && limit_set(limit, &wanted, &kernel) != 0)
        return -1;
    if (old)
        *old = before;
    return 0;
}

void address_limit_exec_begin(void)
{
    int saved_errno = errno;

    for (size_t i = 0; i < LIMITS; i++) {
        struct hidden *limit = &limits[i];
        struct rlimit kernel;

        if (!limit->is_set || kernel_limit(limit, NULL, &kernel) != 0 || !is_same(&kernel, &limit->given))
            continue;
        kernel.rlim_cur = limit->asked.rlim_cur;
        kernel_limit(limit, &kernel, NULL);
    }
    errno = saved_errno;
}

void address_limit_exec_failed(void)
{
    int saved_errno = errno;

    for (size_t i = 0; i < LIMITS; i++) {
        struct hidden *limit = &limits[i];
        struct rlimit expected = {.rlim_cur = limit->asked.rlim_cur, .rlim_max = limit->given.rlim_max};
        struct rlimit kernel;

        if (limit->is_set && kernel_limit(limit, NULL, &kernel) == 0 && is_same(&kernel, &expected))
            kernel_limit(limit, &limit->given, NULL);
    }
    errno = saved_errno;
}
