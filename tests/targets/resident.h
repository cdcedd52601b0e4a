/* How much memory a victim program has in RAM, and a check that it has not grown. */
#ifndef CALLMETER_TESTS_RESIDENT_H
#define CALLMETER_TESTS_RESIDENT_H

#include <stdio.h>

#include "victim.h"

/* VmRSS of proc_pid_status(5). -1: not to be found out. */
static inline long resident_kb(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[128];
    long kb = -1;

    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb;
}

/* A failure if there is more than `more_kb` above `before_kb` now. */
static inline void resident_check(const char *what, long before_kb, long more_kb)
{
    long now_kb = resident_kb();

    if (before_kb > 0 && now_kb > 0 && now_kb - before_kb <= more_kb)
        return;
    victim_failures++;
    printf("FAILED %s left %ld KiB in memory, after %ld\n", what, now_kb - before_kb, before_kb);
}

#endif
