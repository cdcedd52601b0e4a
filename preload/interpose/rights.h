/* Around the program's calls that change what its threads may, or see: callmeter's thread is to have no more rights
 * than the program's own. Private to the folder. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_RIGHTS_H
#define CALLMETER_PRELOAD_INTERPOSE_RIGHTS_H

enum {
    RIGHTS_ARGUMENTS = 5
};

/* A system call that the program is about to make, and what came of it (-1: nothing). Numbers that are of no interest
 * are let pass. Context: any. */
void rights_begin(long number, const long *arguments);
void rights_end(long number, const long *arguments, long result);

#endif
