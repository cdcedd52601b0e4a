/* Locks between the threads of one process, for what no thread holds long: nobody faults or sleeps within, and all
 * signals are blocked, so that a handler on the same thread does not meet its own.
 *
 * A child of fork finds them free. The thread that may have held one is not there, and would not be known by its
 * process id: in a PID namespace the child's may be its parent's. So they lie in a page that the kernel wipes there. */
#ifndef CALLMETER_PRELOAD_MACHINE_OWN_LOCK_H
#define CALLMETER_PRELOAD_MACHINE_OWN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum own_lock {
    OWN_LOCK_ACTIONS, /* the program's actions of signals */
    OWN_LOCK_REPORT,  /* of a panic: held until the program ends, and with signals open; by own_lock_try alone */
    OWN_LOCKS,
};

/* From here on children find the locks free; nobody holds one now. Where there is no such page a child that was forked
 * at the wrong moment waits for ever. Context: startup, once. */
void own_lock_init(void);

/* Blocks all signals and takes it; gives it back, and the mask. Not in a child of vfork. Context: any. */
void own_lock_take(enum own_lock lock, uint64_t *ret_mask);
void own_lock_give(enum own_lock lock, const uint64_t *mask);

/* Takes it if it is free, with the mask as it is; gives that back. Context: signal. */
bool own_lock_try(enum own_lock lock);
void own_lock_leave(enum own_lock lock);

#endif
