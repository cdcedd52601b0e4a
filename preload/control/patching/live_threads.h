/* Private to live*.c: where the other threads of the process are, without disturbing them. System calls only.
 *
 * A thread that has used up some milliseconds of processor time has left wherever it was. One that sleeps is looked at:
 * /proc/self/task/TID/syscall has its program counter. That file belongs to root where the process is not dumpable, as
 * one that has given up privileges by itself. Everybody may read /proc/self/task/TID/wchan, the function of the kernel
 * that a thread sleeps in: it does not say where the call came from, but that it is a system call. Making the process
 * dumpable for a moment would let others look into it. */
#ifndef CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_THREADS_H
#define CALLMETER_PRELOAD_CONTROL_PATCHING_LIVE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* What can be known of the threads that sleep. */
enum live_sight {
    LIVE_SIGHT_NONE,   /* of one at least: nothing */
    LIVE_SIGHT_CALLS,  /* that they are in a system call: any one that the program makes */
    LIVE_SIGHT_PLACES, /* their program counters */
};

/* True if a thread whose next instruction is at `pc` would be harmed. */
typedef bool (*live_is_inside)(const void *context, uintptr_t pc);

/* Who says which thread is callmeter's own, which never runs what is patched: 0: none. Context: startup, once. */
void live_threads_init(int (*own_thread)(void));

enum live_company {
    LIVE_ALONE,
    LIVE_WITH_OTHERS,
    LIVE_NOBODY_KNOWS, /* there is no /proc */
};

/* Has the program other threads than the calling one? Neither callmeter's own nor one that the kernel has made for
 * io_uring, which runs no code of the program's, is among them. Context: startup, or in a call of dlopen. */
enum live_company live_threads_are_there(void);

/* Does not wait for threads that nobody can see. */
enum live_sight live_threads_look(void);

/* Returns when each of the threads was seen where it is not harmed, or false. Those that come later are not waited for.
 * With LIVE_SIGHT_CALLS no thread may be harmed in a system call. */
bool live_threads_left(enum live_sight sight, live_is_inside is_inside, const void *context);

/* True if none blocks that signal, which may take a while: a thread that is being made blocks all. */
bool live_threads_take(int signal);

#endif
