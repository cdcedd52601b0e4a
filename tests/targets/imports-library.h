/* A library whose functions are called through its importers' tables in all the ways that there are. */
#ifndef CALLMETER_TESTS_IMPORTS_LIBRARY_H
#define CALLMETER_TESTS_IMPORTS_LIBRARY_H

/* -1 for each fifth value, else the value. */
int imports_work(int value);

/* Another name of the same function. */
int imports_again(int value);

/* Calls imports_inner by way of the library's own imports, and returns its result. */
int imports_outer(int value);
int imports_inner(int value);

/* Its address is kept in a register while it is called. */
int imports_held(int value);

/* Called, and compared with what dlsym finds. */
int imports_pointer(int value);

/* Called with what its own address is not given to. */
int imports_apply(int (*callback)(int), int value);

/* 1 in VICTIM_1, 2 in VICTIM_2. */
int imports_versioned(void);

/* An IFUNC. */
int imports_picked(int value);

/* There in this library, and in the one that is preloaded before it (IMPORTS_PRELOADED). */
const char *imports_replaced(void);

#endif
