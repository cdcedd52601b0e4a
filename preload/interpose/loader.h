/* dlopen and dlmopen, as the program calls them. Both look at who calls them, so they are jumped to with the stack as
 * it was, after a word to the control module.
 *
 * That has its word from ld.so itself (control/late/loader_watch.h), for which nothing is needed here but the names of
 * libraries that are loaded already. Where ld.so could not be watched, a call of dlopen that would end the same whoever
 * calls is made here, and the control module looks at the objects behind it: too late for their constructors. */
#ifndef CALLMETER_PRELOAD_INTERPOSE_LOADER_H
#define CALLMETER_PRELOAD_INTERPOSE_LOADER_H

#include <stdint.h>

/* Context: in a call of dlopen. */
struct loader_calls {
    void (*asked)(const char *name); /* the program is about to load this */
    void (*changed)(void);           /* a library may have been loaded; NULL: that is known already */
};

/* Context: startup, once. */
void loader_init(const struct loader_calls *calls);

#endif
