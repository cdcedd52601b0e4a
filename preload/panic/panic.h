/* Fatal signals: caught, counted, attributed to the innermost tracked function, reported; then the program goes on or
 * dies exactly as it would have without callmeter.
 *
 *   fault -> delivery.c: whose is it? -> the program's handler, or
 *            panic.c: count -> crash lock -> report, on a stack of its own -> linger -> the same signal again,
 *                     by default
 *
 * What the program knows of its signals is virtual (signals/actions.h): the kernel has ours for the configured signals.
 */
#ifndef CALLMETER_PRELOAD_PANIC_PANIC_H
#define CALLMETER_PRELOAD_PANIC_PANIC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "preload/panic/arrival.h"
#include "preload/panic/event.h"
#include "preload/panic/recover.h"

struct segment_header;

/* What the control plane gives. All of it stays valid for ever. */
struct panic_config {
    struct segment_header *segment; /* signals[] is set there: those to be caught */
    unsigned linger_seconds;
    struct recover_config recover;
    /* Writes the report and the line on standard error. Context: signal (of the crashed thread, one thread at a time,
     * on a stack of 128 KiB; left by a jump if it faults or takes over a second). NULL: only the line is written. */
    void (*report)(const struct panic_event *event);
};

/* Claims the segment's signals, but for those that are ignored now. Context: startup. */
void panic_init(const struct panic_config *config);

/* The calling thread is callmeter's own: a fault in it stops it, and nothing else. Context: that thread, first thing.
 */
void panic_enter_thread(void);

/* The rest is for delivery.c. Context of all: signal. */

/* A signal that the program has no handler for. What is a panic is counted and reported; on return the kernel delivers
 * the signal again, with the default action. */
void panic_take(const struct arrival *arrival);

/* A fault whose signal the program has blocked: no handler of its is asked. */
void panic_take_blocked(const struct arrival *arrival);

/* The program ends for this signal, which its own handler had: by exiting in it, or by returning to abort(3). Counts
 * and reports it, unless it was sent from outside. */
void panic_end(const struct arrival *arrival);

/* The thread is handling a panic; this has come to it meanwhile, a fault of our own as a rule. May jump: what was begun
 * is left, and the program dies of what it had come with. */
bool panic_is_under_way(void);
void panic_take_within(const struct arrival *arrival);

/* The timer's signal (wait.h), which may come late: then nothing is under way. May jump. */
void panic_time_is_up(const struct arrival *arrival);

#endif
