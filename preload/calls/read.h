/* Reading the values of a call: registers, the stack, and memory that arguments point to, which may be anything.
 * Context of everything: hot. */
#ifndef CALLMETER_PRELOAD_CALLS_READ_H
#define CALLMETER_PRELOAD_CALLS_READ_H

#include "preload/records/hot.h"
#include "symbols/values/value.h"

enum {
    READ_STACK_NUMBER = 16, /* prepared numbers (read_prepare) from here on are words on the stack */
    READ_FIELD_WORDS_OVER = 1,
};

/* Where the values of a call are now. What is not there at the time (the result at the start, the arguments at the end)
 * is not asked for. */
struct read_call {
    struct lane *lane;
    const uint64_t *registers; /* as PUSH_FOR_C leaves them (frame.inc) */
    const uint64_t *stack;     /* the first argument on the stack; nothing below it is asked for */
    const uint64_t (*vectors)[2];
    uint64_t ret;
    uint64_t float_ret;
};

/* Memory that stays readable whatever the program does: of the program and the libraries that it needs. Sorted, not
 * overlapping; the caller keeps it. Context: startup. */
struct read_range {
    uintptr_t low;
    uintptr_t high;
};

/* `break_end` is where libc keeps the end of the heap, NULL: not known. Context: startup. */
void read_init(const struct read_range *ranges, size_t count, uintptr_t break_low, void *const *break_end);

/* Puts a location into the form that the functions below take: its number says at once where to look. Context: startup.
 */
void read_prepare(struct value_location *location);

/* Where a fault (SIGSEGV, SIGBUS) at that instruction is to go on, if it is one of the loads here; else 0. Context:
 * signal. */
uintptr_t read_resume(uintptr_t address);

/* True if the value is one of call->registers, or a pointer there leads to it. */
static inline bool read_is_register(const struct value_location *location)
{
    return location->place == VALUE_IN_REGISTER && location->number < READ_STACK_NUMBER;
}

/* A number, extended to 64 bits as the location says; of a float, its bits. false: it could not be read. */
bool read_word(const struct read_call *call, const struct value_location *location, uint64_t *ret_word);

/* Writes the field of a key (segment.h) for the value: as many words as it says; the others of the field are 0, and not
 * written. There must be room for the field and READ_FIELD_WORDS_OVER. */
uint32_t read_field(const struct read_call *call, const struct value_location *location, uint64_t *field);

#endif
