/* Locks all its memory, now and later (mlockall), as real-time programs do. Exits with 0 if no more than 64 MiB became
 * resident by that: what a guest only reserves must not be paid for. Exits with 0 also where locking is not allowed. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static int work(int value)
{
    __asm__ volatile("" ::: "memory");
    return value * 3 + 1;
}

int main(void)
{
    FILE *status;
    char line[128];
    long resident_kb = 0;
    long sum = 0;

    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return 0;
    for (int i = 0; i < 1000; i++)
        sum += work(i);
    status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        sscanf(line, "VmRSS: %ld", &resident_kb);
    return sum > 0 && resident_kb < 64 * 1024 ? 0 : 1;
}
