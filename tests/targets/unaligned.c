/* Faults by an unaligned access, which the program has forbidden itself (the alignment check flag of the processor). */
#include <stdint.h>

#include "victim.h"

static volatile char memory[64];
static volatile int answer;

TRACKED void crash_here(void)
{
    volatile int *unaligned = (volatile int *)(uintptr_t)(((uintptr_t)memory | 15) + 2);

    __asm__ volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    answer = *unaligned;
    TOUCH();
}

static void run_fault(void)
{
    crash_here();
}

static const struct victim_mode modes[] = {
    {"fault", run_fault},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return victim_main(argc, argv, modes);
}
