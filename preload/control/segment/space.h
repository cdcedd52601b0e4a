/* Space on the disk for a segment that is a file. */
#ifndef CALLMETER_PRELOAD_CONTROL_SEGMENT_SPACE_H
#define CALLMETER_PRELOAD_CONTROL_SEGMENT_SPACE_H

#include <stdint.h>

/* Makes the empty file so long, with space on the disk for the first `reserved_bytes`. -errno; no signal is raised
 * (SIGXFSZ). Context: startup. */
int space_reserve(int fd, uint64_t bytes, uint64_t reserved_bytes);

#endif
