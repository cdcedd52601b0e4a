/* Others in the process: runtimes that leave no room for a guest, and fellow guests. */
#ifndef CALLMETER_PRELOAD_HOST_FOREIGN_H
#define CALLMETER_PRELOAD_HOST_FOREIGN_H

#include <stdbool.h>

/* True if this is no glibc, or so old a one that there are no modules for it. Its constructors may get no arguments.
 * Calls nothing. Context: any. */
bool foreign_libc(void);

/* Why the shim has to stand aside here, a sentence that begins with "it" and means the program; or NULL. Seen are
 * runtimes that are there when the program starts; a Java machine that it loads later is not. Go programs are told by
 * their file (symbols/elf/runtime.h). Calls nothing. Context: startup. */
const char *foreign_reason(void);

/* The same for an emulator of system calls that makes threads in its own way (qemu-user), by calls of the kernel alone.
 * (valgrind is none: it bears callmeter.) Context: startup. */
const char *foreign_emulator(void);

/* True if an object stands in for functions of libc that callmeter's own thread calls, and may use descriptors in them
 * that it opened before (heaptrack, tcmalloc's heap profiler, fakeroot over TCP): the thread must see the program's
 * descriptors then. Allocators and others that are known to do without are none. Context: startup. */
bool foreign_has_descriptors(void);

#endif
