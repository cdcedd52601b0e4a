/* Writing that does nothing to the program. A write to a pipe that nobody reads any more raises SIGPIPE, one beyond
 * RLIMIT_FSIZE raises SIGXFSZ, and both kill; one from the background to a terminal may stop the process (SIGTTOU). The
 * program would have been spared all of them, since it was not the one that wrote. */
#ifndef CALLMETER_PRELOAD_MACHINE_QUIET_H
#define CALLMETER_PRELOAD_MACHINE_QUIET_H

#include <stddef.h>

/* As the system call, -errno included, but raises no signal. Context: signal. */
long quiet_write(int fd, const void *bytes, size_t count);

/* The same for a line of text, which nobody waits for longer than a moment: it is left out where the descriptor takes
 * none. Context: signal. */
void quiet_put(int fd, const void *bytes, size_t count);

#endif
