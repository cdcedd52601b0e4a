/* A table of file descriptors of the thread's own. Private to the endpoint.
 *
 * Inside someone else's process, sockets among the program's descriptors go wrong in many ways: a daemon closes all
 * that it did not open, a child of fork keeps the port taken, a number that was closed is the program's file the next
 * time it is written to. Linux keeps the table per thread, shared unless told otherwise (unshare(2), CLONE_FILES). So
 * the server thread takes an empty table: neither side can then see, close or inherit a descriptor of the other. Where
 * that is not possible (Linux before 5.9, some seccomp filters), or other code that the thread runs through needs the
 * program's (an allocator that writes a trace), it stays with the program's table, and puts its sockets at high
 * numbers. */
#ifndef CALLMETER_SERVER_HTTP_DESCRIPTORS_H
#define CALLMETER_SERVER_HTTP_DESCRIPTORS_H

#include <stdbool.h>

struct descriptors {
    bool is_separate; /* the thread has a table of its own */
    bool is_filled;
    bool is_filtered; /* a filter of system calls was in force at the start */
    int kept_stderr;  /* the program's, as it was at the start; -1: it is asked for when it is needed */
};

/* Gives the calling thread an empty table, unless it is to be shared. If it cannot, is_separate is false and nothing
 * has changed. Context: the server thread, first thing. */
void descriptors_init(struct descriptors *descriptors, bool is_shared);

/* Takes 0, 1 and 2 in the thread's own table (by something that is empty to read and refuses to be written), so that no
 * socket ever gets these numbers. Before any other descriptor is opened. */
void descriptors_fill(struct descriptors *descriptors);

/* In a shared table, moves a descriptor up, where programs seldom look, close-on-exec. Returns its number, which is the
 * old one if there is no room. */
int descriptors_raise(const struct descriptors *descriptors, int fd);

/* Makes 2 in the thread's table what it is in the program's now, until descriptors_return_stderr. */
void descriptors_borrow_stderr(const struct descriptors *descriptors);
void descriptors_return_stderr(const struct descriptors *descriptors);

#endif
