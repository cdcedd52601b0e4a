/* Making new code executable where mprotect may not: where a policy forbids memory that was written to become code. */
#ifndef CALLMETER_PRELOAD_MACHINE_CODE_MAP_H
#define CALLMETER_PRELOAD_MACHINE_CODE_MAP_H

#include <stddef.h>

/* Replaces the mapped pages from `address` on by pages that are readable, executable and hold `content`, which may be
 * what lies there now. They are mapped as a library's text is, privately from a file, which is in memory and has no
 * name; so what may load libraries may do this, in most places. -errno: nothing has changed. Context: startup. */
int code_map(void *address, const void *content, size_t bytes);

#endif
