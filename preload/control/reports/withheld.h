/* A system call that libunwind makes and does not need: to see whether it can be made, it asks for the pages of its own
 * stack when it starts (mincore). Under a filter of system calls that may be the end of the process: systemd's
 * @system-service is without it. So there the library finds that it is not available. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_WITHHELD_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_WITHHELD_H

#include <stdbool.h>

/* Where no filter is in force there is nothing to do. False: libunwind had better not be started. Context: startup,
 * once the library is loaded. */
bool withheld_begin(void);

#endif
