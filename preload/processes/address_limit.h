/* RLIMIT_AS and RLIMIT_DATA, as the program knows them. What callmeter has mapped and reserved is not to be taken from
 * a limit that the program sets for itself: a server which allows its sessions some hundred MiB of address space would
 * have none left. So the kernel is given the program's limit and that much more, and the program is shown its own. */
#ifndef CALLMETER_PRELOAD_PROCESSES_ADDRESS_LIMIT_H
#define CALLMETER_PRELOAD_PROCESSES_ADDRESS_LIMIT_H

/* Finds the real functions, while it is safe to ask. Context: startup. */
void address_limit_resolve(void);

/* What is mapped between the two is callmeter's. May be called several times. Context: startup, one thread. */
void address_limit_ours_begin(void);
void address_limit_ours_end(void);

/* The process is about to become another program, whose address space has nothing of ours: it gets the limit that was
 * asked for (the hard one cannot be given back, should exec fail, and stays). Context: signal. */
void address_limit_exec_begin(void);
void address_limit_exec_failed(void);

#endif
