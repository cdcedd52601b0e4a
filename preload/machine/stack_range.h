/* Where a thread's own stack is, asked of the kernel. Context: hot (system calls, no libc). */
#ifndef CALLMETER_PRELOAD_MACHINE_STACK_RANGE_H
#define CALLMETER_PRELOAD_MACHINE_STACK_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct stack_range {
    uintptr_t low;
    uintptr_t high; /* exclusive; both 0 where it cannot be told */
};

/* The mapping that holds `address`, as /proc/self/maps has it. A stack that grows (`[stack]`) reaches down to the
 * mapping below it. */
struct stack_range stack_range_of(uintptr_t address);

/* The alternate signal stack that the thread is running on now; both 0 if it is not. */
struct stack_range stack_alternate(void);

static inline bool stack_range_has(struct stack_range range, uintptr_t address)
{
    return address >= range.low && address < range.high;
}

#endif
