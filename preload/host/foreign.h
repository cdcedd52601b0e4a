/* Others in the process: runtimes that leave no room for a guest, and fellow guests. */
#ifndef CALLMETER_PRELOAD_HOST_FOREIGN_H
#define CALLMETER_PRELOAD_HOST_FOREIGN_H

#include <stdbool.h>

/* Why the shim has to stand aside here, a sentence that begins with "it" and means the program; or NULL. Seen are
 * runtimes that are there when the program starts; a Java machine that it loads later is not. Go programs are told by
 * their file (symbols/elf/runtime.h). Calls nothing. Context: startup. */
const char *foreign_reason(void);

/* True if an object stands in for functions of libc that callmeter's own thread calls, and may use descriptors in them
 * that it opened before (heaptrack, tcmalloc's heap profiler, fakeroot over TCP): the thread must see the program's
 * descriptors then. Allocators and others that are known to do without are none. Context: startup. */
bool foreign_has_descriptors(void);

#endif
