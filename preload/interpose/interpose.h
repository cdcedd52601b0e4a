/* libc's names that the preload object stands in for: every function that it exports lies in this folder, and nothing
 * but those. Each does what callmeter needs to know or to hide, and goes on to libc's own. Everything passes through
 * where the process is not instrumented.
 *
 * The folder includes the rest of the preload object, and nothing but gate.c and shim.h includes it. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_INTERPOSE_H
#define CALLMETER_PRELOAD_INTERPOSE_INTERPOSE_H

/* The head of an exported function. Who looks for callers of fork() finds no definition of it. */
#define INTERPOSE(type, name) __attribute__((visibility("default"))) type name

/* Looks up all of libc's functions behind the interposers, while it is safe to ask. Context: startup. */
void interpose_init(void);

/* Called once, on the first thread, when all constructors have run and main is next. */
extern void (*interpose_before_main)(void);

/* The same for the functions of one file: constructors of libraries come before ours, and may call what is not looked
 * up yet. Context: any. */
void altstack_calls_resolve(void);
void credential_calls_resolve(void);
void exec_resolve(void);
void exit_calls_resolve(void);
void filter_calls_resolve(void);
void fork_calls_resolve(void);
void limit_calls_resolve(void);
void masks_calls_resolve(void);
void raise_resolve(void);
void signals_calls_resolve(void);
void system_calls_resolve(void);

/* longjmp's, for jumps.S. */
void interpose_resolve(void);

#endif
