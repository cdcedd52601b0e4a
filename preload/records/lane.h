/* Lanes: what each thread has to itself. Everything here runs inside the program's own calls, possibly in
 * its signal handlers: no libc, no lock that a signal could meet, system calls only where a thread is new, a chunk is
 * full or a jump was seen. */
#ifndef CALLMETER_PRELOAD_RECORDS_LANE_H
#define CALLMETER_PRELOAD_RECORDS_LANE_H

#include "preload/machine/stack_range.h"
#include "preload/records/hot.h"

extern __thread struct hot_thread hot_thread __attribute__((tls_model("initial-exec")));

extern struct lane lane_none;
extern struct lane lane_ours;
extern struct lane lane_shared; /* of two tasks: nobody writes to it */
extern struct record lane_bottom;
extern struct chunk lane_no_chunk[CHUNK_BYTES / sizeof(struct chunk)]; /* one that is full, of threads that have none */

/* What the control plane gives the data plane before the first function is patched (data_plane_init). */
struct lane_config {
    struct segment_header *segment;
    uint64_t (*now)(void);  /* ticks, as the trampoline in use reads them; general registers only */
    ptrdiff_t errno_offset; /* of errno from the thread pointer, the same in all threads */
    bool is_file;           /* the segment is a file (blocks.h) */
    bool is_data_scanned;   /* a garbage collector looks for pointers in .bss: records lie there or nowhere */
    uintptr_t main_thread_pointer;
    uintptr_t main_stack; /* any address on the first thread's stack */
};

/* From here on to lane_leave, calls of this thread are callmeter's own: they are not counted. What lane_enter returns
 * is for lane_leave. Context: any. */
struct lane *lane_enter(void);
void lane_leave(struct lane *before);

/* Another task is about to run on the calling thread's storage, at the same time. From here on the calls of both are
 * counted one by one and not timed, which needs no lane. Context: any. */
void lane_share(void);

/* The thread's own stack, asked of the kernel once; empty where it cannot be told. Context: hot. */
struct stack_range lane_stack(struct lane *lane);

/* The lanes there are, one after the other, attached or not; NULL behind the last one. They never go away. Another
 * thread may be changing what is read. Context: signal. */
const struct lane *lane_at(size_t index);

#endif
