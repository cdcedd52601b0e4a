/* System calls that libunwind makes and does not need, so that it finds that they are not available.
 *
 * It opens a pipe for a kind of unwinding that is not used here, which would keep two descriptors of the program's; a
 * libunwind that the program has itself does use it, and is left alone. And
 * to see whether it can be made, it asks for the pages of its own stack when it starts (mincore): under a filter of
 * system calls that may be the end of the process, for systemd's @system-service is without it. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_WITHHELD_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_WITHHELD_H

#include <stdbool.h>
#include <stddef.h>

/* Objects behind the first `objects_before` are callmeter's. False: libunwind had better not be started. Context:
 * startup, once the library is loaded. */
bool withheld_begin(size_t objects_before);

#endif
