/* Calls that a longjmp leaves without a return. Context: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_JUMPED_H
#define CALLMETER_PRELOAD_CALLS_JUMPED_H

#include <stdint.h>

/* longjmp is about to set rsp to `target`, from `from`, and the thread's mask to a saved one if that is so. From the
 * interposed jumps. */
void jumped_to(uintptr_t target, uintptr_t from, int is_mask_restored);

#endif
