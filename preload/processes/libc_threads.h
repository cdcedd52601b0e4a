/* What libc knows of the process's threads, by names of its own that no header has: how many there are, and whether its
 * functions can go without locks. The companion is none of them. */
#ifndef CALLMETER_PRELOAD_PROCESSES_LIBC_THREADS_H
#define CALLMETER_PRELOAD_PROCESSES_LIBC_THREADS_H

#include <stdbool.h>

/* Finds both in libc. Not where others may be in the middle of their start: heaptrack makes a thread while it holds the
 * lock that its own dlopen takes. Context: startup. */
void libc_threads_init(void);

/* True if the calling thread is the program's only one; false also where libc does not tell. Context: any. */
bool libc_threads_is_one(void);

/* Makes libc believe that there is one thread: it takes no locks then. What it believed before, for
 * libc_threads_believe; -1: it cannot be told. Context: any. */
int libc_threads_believe_one(void);
void libc_threads_believe(int before);

#endif
