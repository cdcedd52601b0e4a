/* Names of signals and of what raised them, as signal.h has them. Context: any. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_SIGNAL_NAMES_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_SIGNAL_NAMES_H

#include <signal.h>
#include <stdbool.h>

/* "SIGSEGV"; NULL if it has no name. */
const char *signal_name(int signal);

/* Of si_code, "SEGV_MAPERR"; NULL if it has no name. */
const char *signal_code_name(int signal, int code);

/* True if si_addr is where the fault was. An address that is none (not canonical) is not told: SI_KERNEL. */
bool signal_has_address(const siginfo_t *info);

#endif
