/* Functions of libc that send the calling thread a signal. Not pthread_kill, which does not do the same for programs
 * that were linked before glibc 2.34. For C and assembly. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_RAISE_NAMES_H
#define CALLMETER_PRELOAD_INTERPOSE_RAISE_NAMES_H

#define RAISE_ALL(each) each(abort) each(raise) each(kill)

#endif
