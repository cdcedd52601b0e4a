/* seccomp(2) and prctl(2), by whichever function of libc the program calls them. Private to the folder. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_FILTER_CALLS_H
#define CALLMETER_PRELOAD_INTERPOSE_FILTER_CALLS_H

typedef long (*system_call_function)(long, ...);

/* libc's syscall(2), also before anything was looked up (system_calls.c). Context: any. */
extern system_call_function system_calls_real;

/* The real prctl, by the function that the program has called, with option and arguments. */
typedef long (*filter_calls_real)(const long *arguments);

/* What libc's functions return. Context: any. */
long filter_calls_seccomp(unsigned long operation, unsigned long flags, void *arguments);
long filter_calls_prctl(filter_calls_real real, const long *arguments);

#endif
