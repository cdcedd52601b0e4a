/* The program's signals. Of those that callmeter claims the program sets and reads a virtual action; the kernel has our
 * entry, with the flags and the mask of the program's handler, so that the kernel itself chooses the stack, blocks and
 * restarts as it would without us.
 *
 *   program's action   the kernel's                                            what happens
 *   handler            entry, the program's flags and mask                     it is called, as if by the kernel
 *   default            entry, on the alternate stack, nothing blocked          panic_take
 *   ignored            the same; ignored, if no fault can raise the signal     only what the kernel forces is taken
 *
 * All other signals go straight through. A child of vfork has the kernel's actions for itself, but the table is its
 * parent's: it sets and reads the kernel's. */
#ifndef CALLMETER_PRELOAD_SIGNALS_ACTIONS_H
#define CALLMETER_PRELOAD_SIGNALS_ACTIONS_H

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

/* Finds libc's functions behind the interposers (signals_calls.c). Context: startup. */
void signals_resolve(void);

/* libc's sigaction. Context: any, once it is found. */
int signals_real_action(int signal, const struct sigaction *action, struct sigaction *ret_old);

/* From here on the program's action for the signal is virtual. false: it is ignored now, and stays the program's.
 * Context: startup. */
bool signals_claim(int signal);

bool signals_is_claimed(int signal);

/* The program's actions become the kernel's, and nothing is virtual any more; and back. Context: any. */
void signals_release(void);
void signals_reclaim(void);

/* sigaction(2) of a claimed signal, which cannot fail: 0. Either may be NULL. Context: any. */
int signals_change(int signal, const struct sigaction *action, struct sigaction *ret_old);

/* The program has no handler for it, and does not ignore it. Context: any. */
bool signals_has_default(int signal);

/* What libc has in every action: where handlers return to. 0: not known yet. Context: any. */
uintptr_t signals_restorer(void);

struct signals_place signals_place_of(int signal, const void *context);

/* The program exits. If it does so in its handler of a claimed signal, that has ended it. Context: any. */
void signals_leave(void);

/* Puts the default action in the kernel. Context: signal. */
void signals_set_default(int signal);

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

/* Around exec: what the program ignores is ignored by the next one as well. The second is for an exec that failed.
 * Context: any, a child of vfork too. */
void signals_exec_begin(void);
void signals_exec_failed(void);

/* The same around posix_spawn, whose child is exec'ed in libc. */
void signals_spawn_begin(void);
void signals_spawn_end(void);

#endif
