/* What comes to a claimed signal: the kernel calls delivery.c, which calls the program's handler as the kernel would,
 * or takes a panic. */
#ifndef CALLMETER_PRELOAD_PANIC_DELIVERY_H
#define CALLMETER_PRELOAD_PANIC_DELIVERY_H

#include "preload/panic/panic.h"

/* panic_init, with what the kernel is to call. Context: startup. */
void delivery_init(const struct panic_config *config);

/* The program exits. If it does so in its handler of a claimed signal, that has ended it. Context: any. */
void delivery_leave(void);

#endif
