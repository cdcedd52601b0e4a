/* Calling a stub in place of a function that cannot be patched: its address is replaced in the import slots of the
 * objects that call it.
 *
 * What a slot holds tells whose it is: ld.so has resolved versions, interposition and IFUNCs. So a slot that leads to
 * another preload's function of the same name is left alone. */
#ifndef CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORTS_H
#define CALLMETER_PRELOAD_CONTROL_IMPORTS_IMPORTS_H

#include <stddef.h>
#include <stdint.h>

struct shim;

struct import {
    uintptr_t function; /* run address */
    const void *stub;
    size_t owner;   /* the caller's own */
    size_t objects; /* out: how many have calls that lead to the stub now */
    size_t taken;   /* out: how many were left alone, since they also take the function's address from the slot */
    size_t denied;  /* out: how many were left alone, since their slots cannot be written */
    const void *last_object; /* private */
};

/* Redirects `imports`, which is sorted by function here, in all objects of the process but callmeter's own and ld.so.
 * What is protected stays so. -errno: those of some objects may have been changed. Context: startup. */
int imports_redirect(const struct shim *shim, struct import *imports, size_t count);

#endif
