/* Which handler of the program's a thread is in: what is noted when one is called, and what can be told of it later,
 * when it may have been left by a jump that nobody saw. */
#ifndef CALLMETER_PRELOAD_SIGNALS_NOTES_H
#define CALLMETER_PRELOAD_SIGNALS_NOTES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct panic_frame;

/* A handler of the program's that is running; on its stack, below the signal's frame. */
struct signals_note {
    struct signals_note *self; /* tells a live one from what lies there later */
    struct signals_note *outer;
    siginfo_t *info;
    void *context;
    uintptr_t ip; /* where it was interrupted */
    int signal;
    int pid;
    bool is_from_outside; /* another process has sent the signal */
};

/* Where a thread is interrupted. */
struct signals_place {
    uintptr_t ip;
    uintptr_t sp;
    int signal;
};

/* What a thread has in its static TLS. */
struct signals_thread {
    uint64_t hidden;           /* signals that the program has blocked, but not the kernel: see masks.h */
    struct signals_note *note; /* of the innermost handler. A jump out of a handler that we do not see leaves it */
    struct panic_frame *frame; /* of the panic that is being handled */
    struct signals_place sent; /* where the last signal came that was sent from outside, and had a handler */
    bool is_own;               /* callmeter's own thread */
    bool is_ending;            /* its panic is counted */
    int settled_child;         /* of vfork: the last one whose mask was settled */
};

extern __thread struct signals_thread signals_thread __attribute__((tls_model("initial-exec")));

/* What libc has in every action: where handlers return to, which is how a signal's frame is known. Before any handler
 * is noted. Context: startup. */
void signals_note_restorer(uintptr_t address);

/* Where `context`, of a signal's frame, was interrupted. Context: signal. */
struct signals_place signals_place_of(int signal, const void *context);

/* Is the thread, whose stack pointer is `sp`, still in the handler of the note? Context: any. */
bool signals_is_in_handler(const struct signals_note *note, uintptr_t sp);

/* True if the program's handler of a signal that was sent from outside has raised this one, so that the program dies of
 * it after all. Context: signal. */
bool signals_is_sent_on(int signal, const siginfo_t *info, const void *context);

/* The thread jumps to `target`, a stack pointer: handlers below it are left. With the mask that was saved there, or
 * with the one that it has. Context: hot. */
static inline void signals_jumped(uintptr_t target, bool is_mask_restored)
{
    if ((uintptr_t)signals_thread.note < target)
        signals_thread.note = NULL;
    if (is_mask_restored)
        signals_thread.hidden = 0;
}

#endif
