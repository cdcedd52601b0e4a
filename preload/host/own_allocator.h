/* An allocator that the program brings, in itself or in a library: may it be called yet? Our modules cannot do without
 * one, and ld.so asks the program's as soon as it loads something. */
#ifndef CALLMETER_PRELOAD_HOST_OWN_ALLOCATOR_H
#define CALLMETER_PRELOAD_HOST_OWN_ALLOCATOR_H

#include <stdbool.h>

/* True if malloc and its like are libc's, or of a library that is known to serve from the first call on. Allocates
 * nothing. Context: startup. */
bool own_allocator_is_known(void);

/* Has the process's allocator serve a child that shares no memory with it: it may crash, hang, abort or give nothing
 * there, and the program's own is as it was. The child is no child for wait(2), and raises no signal. True if it gave
 * what was asked for. Context: startup. */
bool own_allocator_works(void);

#endif
