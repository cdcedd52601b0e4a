/* The exec family: the shim's way into programs that this one execs. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_EXEC_H
#define CALLMETER_PRELOAD_INTERPOSE_EXEC_H

/* Finds the real functions. Context: startup. */
void exec_resolve(void);

#endif
