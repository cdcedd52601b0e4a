/* Filters of system calls that the program puts on itself (seccomp(2)). They are made for what the program does, and
 * may kill for anything else; so no thread of ours is made under them, and none is left behind to come under them. */
#ifndef CALLMETER_PRELOAD_CONFINED_H
#define CALLMETER_PRELOAD_CONFINED_H

#include <stdbool.h>

/* Finds the functions that are stood in for. Context: startup. */
void confined_resolve(void);

/* True once this process, or one that it was forked from, has put a filter on itself. Context: any. */
bool confined_is(void);

#endif
