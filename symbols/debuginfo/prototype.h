/* Functions as C writes them, and what else DWARF says of them as a whole. Private to symbols/debuginfo/. Context:
 * startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_PROTOTYPE_H
#define CALLMETER_SYMBOLS_DEBUGINFO_PROTOTYPE_H

#include <stdbool.h>
#include <stddef.h>

#include <elfutils/libdw.h>

/* The DIE that has all parameters of a function: its abstract instance, where it has one, else itself. */
Dwarf_Die debuginfo_origin(Dwarf_Die *function);

/* True if it is written in C, C++ or Objective-C. */
bool debuginfo_is_c(Dwarf_Die *function, Dwarf_Die *origin);

/* True for DW_CC_nocall and its like: nobody else could call it. */
bool debuginfo_has_own_convention(Dwarf_Die *function);

/* True if more arguments may follow: `...`, or a function of which C says nothing (`f()`, -g1). */
bool debuginfo_is_open(Dwarf_Die *origin);

/* True if DWARF tells parameters and result: not with -g1. */
bool debuginfo_has_prototype(Dwarf_Die *origin);

/* Is this child of a function a parameter that it gets? */
bool debuginfo_is_passed(Dwarf_Die *function, Dwarf_Die *parameter);

/* Writes "int handle(int id, const char *path)", cut where the room ends, to `text`. */
void debuginfo_write_prototype(Dwarf_Die *function, char *text, size_t bytes);

#endif
