/* RLIMIT_AS and RLIMIT_DATA, as the program knows them. What callmeter has mapped and reserved is not to be taken from
 * a limit that the program sets for itself: a server which allows its sessions some hundred MiB of address space would
 * have none left. So the kernel is given the program's limit and that much more, and the program is shown its own. */
#ifndef CALLMETER_PRELOAD_PROCESSES_ADDRESS_LIMIT_H
#define CALLMETER_PRELOAD_PROCESSES_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <sys/resource.h>

/* What is mapped between the two is callmeter's. May be called several times. Context: startup, one thread. */
void address_limit_ours_begin(void);
void address_limit_ours_end(void);

/* The program is shown its own limit of the resource, and not the kernel's. Context: any. */
bool address_limit_is_hidden(int resource);

/* prlimit(2) of such a limit, of the calling process: -1 and errno. Either may be NULL; NULL for both is as the kernel
 * has it: nothing is asked, nothing is told. Context: any. */
int address_limit_change(int resource, const struct rlimit *asked, struct rlimit *old);

/* The process is about to become another program, whose address space has nothing of ours: it gets the limit that was
 * asked for (the hard one cannot be given back, should exec fail, and stays). Context: signal. */
void address_limit_exec_begin(void);
void address_limit_exec_failed(void);

#endif
