/* A lane's records: those in progress, linked from the innermost one outwards, and the chunks they come from. Context:
 * hot.
 *
 * What leaves a call without returning leaves its record behind. Whether such a record is dead cannot always be proven:
 * the stack of a coroutine may lie anywhere, even in a frame of this thread's stack. So a record that looks dead is
 * counted as abandoned and unlinked, but not given out again before it is provably dead; if its call returns after all,
 * the count is taken back.
 *
 * There are coroutines without stacks of their own, too: greenlets of Python run on their thread's, and what they have
 * there is copied away while others run. Nothing on such a stack proves that a call is dead, so in such a process calls
 * that are only passed over are taken to be asleep, and whatever is not in progress keeps its record. */
#ifndef CALLMETER_PRELOAD_RECORDS_CHAIN_H
#define CALLMETER_PRELOAD_RECORDS_CHAIN_H

#include "preload/records/hot.h"

/* True if a call that returns to `address` is the tail call of a tracked one, and takes that one's slot. */
bool chain_is_exit(const void *address);

/* The program is about to load the library at `path`: does it copy stacks? */
void chain_note_library(const char *path);

/* Counts a call in progress as panic or abandoned, and gives its record that state: RECORD_PANICKED or above. false: it
 * has ended, or has been counted so. */
bool chain_claim(const struct lane *lane, struct record *record, uint8_t state);

/* Counts a record as abandoned, once. Does not unlink it. */
void chain_abandon(const struct lane *lane, struct record *record, enum segment_abandoned_reason reason);

/* A jump that is seen leaves the call. `is_stack_left`: nobody comes back to that stack below where it jumps to. */
void chain_jumped_over(const struct lane *lane, struct record *record, bool is_stack_left);

/* A later call, or the return of an outer one, shows that the call was left, by a jump that nobody saw. */
void chain_passed_over(const struct lane *lane, struct record *record);

/* The lane's thread is gone: what it had in progress is abandoned, and the lane has no record linked in. The lane is
 * the caller's alone. */
void chain_thread_gone(struct lane *lane);

/* Makes a chunk with a free record the lane's current one. false: out of memory. Signals are blocked. */
bool chain_find_chunk(struct lane *lane);

/* The record of a call that returns or is unwound at `slot`: the one that rbx names, else (the original did not
 * preserve rbx) the calling thread's one at that slot. NULL: there is none. */
struct record *chain_find_record(uint64_t rbx, uintptr_t slot);

/* Where the return address is that the stack of any thread has at `slot`: there, or in a record. For runtimes that walk
 * their stacks without unwinding tables. Context: any. */
uintptr_t chain_return_place(uintptr_t slot);

/* Unlinks a record whose call has ended on this thread, wherever it began, and gives it back to the lane it came from.
 * Calls further in on the same stack have been left: they are abandoned. */
void chain_finish(struct lane *lane, struct record *record);

#endif
