/* The trampolines (calls/x86_64/), as data to those who compare addresses with them. */
#ifndef CALLMETER_PRELOAD_RECORDS_TRAMPOLINES_H
#define CALLMETER_PRELOAD_RECORDS_TRAMPOLINES_H

#include <stddef.h>

/* A stub pushes rbx, puts its hook there and jumps to an entry; originals return to the exit, or to the other one if a
 * tracked function's tail call called them. In each, the instructions that link a record in and unlink it: what is
 * counted in front of them is then as good as done. From `lasting` on the time that the call took is in the sum, from
 * `lasted` on in a bucket as well; the same out of line, up to `asking`. Not callable. */
#define TRAMPOLINE(kind)                                                                                               \
    extern const char hot_entry_##kind[], hot_exit_##kind[], hot_exit_tail_##kind[], hot_linking_##kind[],             \
        hot_linking_tail_##kind[], hot_lasting_##kind[], hot_lasted_##kind[], hot_unlinking_##kind[],                  \
        hot_lasting_far_##kind[], hot_lasted_far_##kind[], hot_asking_##kind[]

/* All kinds. `late`: the clock is read by hot_extra. `untimed`: not at all; for calls that are judged only. */
#define TRAMPOLINES(each) each(tsc) each(clock) each(late_tsc) each(late_clock) each(untimed)

TRAMPOLINE(tsc);
TRAMPOLINE(clock);
TRAMPOLINE(late_tsc);
TRAMPOLINE(late_clock);
TRAMPOLINE(untimed);

/* Between a stub and an entry: asks sampling_decide. */
extern const char hot_sample_tsc[], hot_sample_clock[], hot_sample_late_tsc[], hot_sample_late_clock[];
/* Between an entry and an original: asks extra_entry, reads the clock. */
extern const char hot_extra_tsc[], hot_extra_clock[], hot_extra_untimed[];
extern const char hot_count_slow[];
extern const char hot_landing[];
/* All of the above but hot_count_slow and hot_landing: [hot_pages, hot_pages_end). */
extern const char hot_pages[], hot_pages_end[];

/* Makes the trampolines find struct hot_thread at that offset from the thread pointer. Nothing may run in them yet.
 * -errno: code cannot be written here. Context: startup, once. */
int trampolines_bind(ptrdiff_t thread_offset);

#endif
