/* Filters of system calls that the program puts on itself (seccomp(2)). They are made for what the program does, and
 * may kill for anything else; so no thread of ours is made under them, and none is left behind to come under them. Each
 * filter is asked beforehand what it would say to callmeter's own system calls. Where it kills for one that a panic
 * needs, the program gets its signals back: a fault then ends it as without us, and nobody counts it. */
#ifndef CALLMETER_PRELOAD_PROCESSES_CONFINED_H
#define CALLMETER_PRELOAD_PROCESSES_CONFINED_H

/* Finds the functions that are stood in for. Context: startup. */
void confined_resolve(void);

#endif
