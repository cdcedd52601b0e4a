/* The segment as a file can lose its pages under us: somebody cuts the file short, the disk fails. The access then
 * raises SIGBUS, and is answered by memory in place of the page. */
#ifndef CALLMETER_PRELOAD_PANIC_STATE_REPAIR_H
#define CALLMETER_PRELOAD_PANIC_STATE_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

struct segment_header;

/* From here on the segment, which is a mapped file, is repaired. Its tables, up to its blocks, are copied, since the
 * data plane goes by them. Context: startup. */
void state_watch(struct segment_header *segment);

/* To be asked first of every SIGBUS that the kernel raised, with the address of the fault. True: that was a page of the
 * segment, the instruction can be done again. Counts on that page are lost. Context: signal. */
bool state_repair(const void *address);

/* How many pages have been repaired in this process. Context: any. */
uint32_t state_repairs(void);

#endif
