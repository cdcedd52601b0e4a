/* Lanes and records: the slow paths of the data plane. Everything here runs inside the program's own calls, possibly in
 * its signal handlers: no libc, no lock that a signal could meet, system calls only where a thread is new, a chunk is
 * full or a jump was seen. */
#ifndef CALLMETER_PRELOAD_LANE_H
#define CALLMETER_PRELOAD_LANE_H

#include "preload/hot.h"

/* The thread's lane: &lane_none before its first tracked call, &lane_ours where callmeter itself is at work. */
extern __thread struct lane *hot_lane __attribute__((tls_model("initial-exec")));

extern struct lane lane_none;
extern struct lane lane_ours;
extern struct record lane_bottom;

/* What the control plane gives the data plane before the first function is patched. */
struct lane_config {
    struct segment_header *segment;
    uint64_t (*now)(void);    /* ticks, as the trampoline in use reads them; general registers only */
    ptrdiff_t errno_offset;   /* of errno from the thread pointer, the same in all threads */
    const void *exit_address; /* return address of originals that the trampoline called */
    bool is_data_scanned;     /* a garbage collector looks for pointers in .bss: records lie there or nowhere */
    uintptr_t main_thread_pointer;
    uintptr_t main_stack; /* any address on the first thread's stack */
};

/* Context: startup, once. -errno if memory for the first lanes cannot be had: nothing may be patched then. */
int lanes_init(const struct lane_config *config);

/* Gives back the lanes of threads that are gone; what they had in progress becomes abandoned. Context: any thread of
 * ours. */
void lanes_reap(void);

/* In a forked child, on the thread that forked. Context: pthread_atfork child handler. */
void lanes_forked(void);

/* From assembly.
 * ------------------------------------------------------------------------------------------------------------------ */

enum {
    LANE_RETRY,
    LANE_BYPASS
};

/* The lane has no block, or no free record: LANE_RETRY: it has now. LANE_BYPASS: go to the original untimed; if the
 * call is to be counted, it has been. Context: hot. */
int lane_entry_slow(const struct hook *hook);

/* A counted function's call on a lane without block. Counts it. Context: hot. */
void lane_count_slow(const struct hook *hook);

/* A call at `slot`, above or at the innermost record's: are some of the lane's records dead? Context: hot. */
void lane_entry_check(struct lane *lane, uintptr_t slot);

/* What a return or a landing needs to leave the trampoline. */
struct lane_exit {
    uint64_t caller_rbx;
    void *return_address;
    void *resume;
};

/* A return where rbx is not the innermost record. Finds the record, counts the outcome and gives it back. Context: hot.
 */
void lane_exit_slow(uint64_t rbx, uintptr_t slot, uint64_t ret, uint64_t float_ret, uint64_t now,
                    struct lane_exit *ret_exit);

/* The outcome's byte offset in the cell. Context: hot. */
uint32_t lane_judge(const struct hook *hook, uint64_t ret, uint64_t float_ret);

/* An exception or a forced unwinding left the call. */
void lane_landed(uint64_t rbx, uintptr_t slot, uint64_t is_forced, struct lane_exit *ret_exit);

/* longjmp is about to set rsp to `target`, from `from`. */
void lane_longjmp(uintptr_t target, uintptr_t from);

/* The record that rbx names, or NULL: for the personality. */
struct record *lane_find_record(uint64_t rbx, uintptr_t slot);

#endif
