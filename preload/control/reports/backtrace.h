/* The calls that led to a place in the program, unwound in a handler of fatal signals by libunwind: with accessors that
 * read memory carefully, no loader's lock, no allocation, and no more time than it is given.
 *
 * The trampolines' frames are unwound by their own tables and left out; a program counter in a stub or in relocated
 * instructions counts as one of the function that they were taken from. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_BACKTRACE_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "preload/panic/recover.h"

struct record;
struct stub_map;

/* What unwinding needs of its host; all of it stays valid for ever. */
struct backtrace_config {
    const struct stub_map *stubs;
    uintptr_t trampolines; /* [trampolines, trampolines_end): code whose frames are left out */
    uintptr_t trampolines_end;
};

struct backtrace_frame {
    uintptr_t pc;
    bool is_exact; /* of an instruction that was interrupted; else it is a return address, behind the call */
};

struct backtrace {
    struct backtrace_frame frames[BACKTRACE_FRAMES_MAX]; /* innermost first */
    size_t count;
};

/* -ENOMEM, or -ENOSYS: libunwind does not work here. Context: startup. */
int backtrace_init(const struct backtrace_config *config);

/* At most `depth` frames, as many as are found within `limit_ns`. Context: signal, one thread at a time; may be left by
 * a jump, but from then on there is only the innermost frame. */
void backtrace_take(const ucontext_t *context, size_t depth, uint64_t limit_ns, struct backtrace *ret_backtrace);

/* Unwinds to the trampoline's frame of a call in progress, up to where the tracked function would return to. 0, or
 * -ENOENT: there is no way to that frame, or what was found there contradicts the record; -EBUSY: an earlier unwinding
 * was left by a jump. Context: as above. */
int backtrace_to_record(const ucontext_t *context, const struct record *record, struct backtrace_registers *ret);

/* Unwinds to the end of the stack, by tables alone, and looks for a handler's frame. 1: there is one; 0: there is none;
 * -ENOENT: there is no way to the end, or it takes longer than `limit_ns`; -EBUSY as above. Context: any, one thread at
 * a time, with signals blocked. */
int backtrace_meets_signal_frame(const ucontext_t *context, uint64_t limit_ns);

#endif
