/* Functions of libc that the preload object stands in for. Everything passes through where the process is not
 * instrumented. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_START_H
#define CALLMETER_PRELOAD_INTERPOSE_START_H

/* Finds the real ones, while it is safe to ask. Context: startup. */
void interpose_init(void);

/* Called once, on the first thread, when all constructors have run and main is next. */
extern void (*interpose_before_main)(void);

#endif
