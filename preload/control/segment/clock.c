#include "preload/control/segment/clock.h"

#include <cpuid.h>
#include <fcntl.h>
#include <float.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preload/machine/x86_64/cpu.h"

enum {
    CALIBRATE_NS = 2 * 1000 * 1000,
    LOOKS = 5,
    INVARIANT_TSC_BIT = 8, /* CPUID 80000007H, EDX (Intel SDM volume 3, 18.17.1) */
};

static uint64_t now_ns(void)
{
    struct timespec time;

    cpu_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0, 0, 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now_ticks(void)
{
    return cpu_ticks();
}

/* The kernel keeps away from a counter that it found to run differently on different processors. */
static bool is_trusted_by_kernel(void)
{
    char name[32] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return true;
    if (read(fd, name, sizeof(name) - 1) < 0)
        name[0] = '\0';
    close(fd);
    return strncmp(name, "hpet", 4) != 0 && strncmp(name, "acpi_pm", 7) != 0 && strncmp(name, "jiffies", 7) != 0;
}

static bool is_tsc_usable(void)
{
    unsigned eax, ebx, ecx, edx;
    int mode = 0;

    if (!__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) || !(edx & (1u << INVARIANT_TSC_BIT)))
        return false;
    if (prctl(PR_GET_TSC, &mode) == 0 && mode != PR_TSC_ENABLE)
        return false;
    return is_trusted_by_kernel();
}

/* Both clocks at one moment: of several tries the one that took the least time. */
static void look(uint64_t *ret_ticks, uint64_t *ret_ns)
{
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < LOOKS; i++) {
        uint64_t before = cpu_ticks();
        uint64_t ns = now_ns();
        uint64_t after = cpu_ticks();

        if (after - before < shortest) {
            shortest = after - before;
            *ret_ticks = before + (after - before) / 2;
            *ret_ns = ns;
        }
    }
}

void clock_begin(struct clock *clock)
{
    memset(clock, 0, sizeof(*clock));
    clock->is_tsc = is_tsc_usable();
    clock->now = clock->is_tsc ? now_ticks : now_ns;
    clock->seconds_per_tick = 1e-9;
    if (clock->is_tsc)
        look(&clock->begin_ticks, &clock->begin_ns);
}

void clock_calibrate(struct clock *clock)
{
    uint64_t ticks;
    uint64_t ns;

    if (!clock->is_tsc)
        return;
    do
        look(&ticks, &ns);
    while (ns - clock->begin_ns < CALIBRATE_NS);
    clock->seconds_per_tick = (double)(ns - clock->begin_ns) * 1e-9 / (double)(ticks - clock->begin_ticks);
}

/* The quotient of two numbers that are both not quite what they are written as may be a little below a whole number of
 * ticks: 2.5e-07 / 1e-09 is 249.99999999999997. */
uint64_t clock_ticks(const struct clock *clock, double seconds)
{
    double ticks = seconds / clock->seconds_per_tick * (1 + 4 * DBL_EPSILON);

    return ticks < 9e18 ? (uint64_t)ticks : UINT64_MAX - 1;
}
