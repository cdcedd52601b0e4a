/* The files of a state directory: which one is this process's, whether another uses it, what becomes of bad ones.
 *
 *   STEM.state                  the segment of the program that is running, or of its last run
 *   STEM.2.state ...            of others that were started while the first was running
 *   STEM.state.new              while a start makes the next segment; it takes the name above when it is complete
 *   STEM.state.bad-TIME         could not be used: set aside for people to look at, the latest few are kept
 *   STEM.lock                   held while a process starts, so that two do not go on from the same file
 *
 * What lies in the directory is not trusted: nothing is followed, and nothing blocks. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_STATEFILE_H
#define CALLMETER_PRELOAD_CONTROL_STATE_STATEFILE_H

#include <stddef.h>

#include "server/segment/segment.h"

struct diag;

enum {
    STATEFILE_STEM_BYTES = 160,
    STATEFILE_NAME_BYTES = STATEFILE_STEM_BYTES + 64,
};

/* Who is to hear what could not be used, and why. */
typedef void (*statefile_tell)(void *context, enum segment_state_error error, const char *text);

/* Embedded by the caller. Descriptors are close-on-exec; -1: none. */
struct statefile {
    int fresh;                       /* empty, to be filled: for reading and writing */
    int old;                         /* that of the last run, for reading */
    char name[STATEFILE_NAME_BYTES]; /* base name, once statefile_open returned 0 */
    const char *path;                /* private: of the directory, as given; valid until statefile_close */
    int directory;
    int lock;
    statefile_tell tell;
    void *context;
};

/* Chooses the file, sets aside what is none, and makes the fresh one. `stem` has no slash. Whatever fails is told;
 * -errno if there can be no file then. To be closed in any case. Context: startup. */
int statefile_open(struct statefile *file, const char *path, const char *stem, statefile_tell tell, void *context);

/* The old file turned out to be none: it is set aside. */
void statefile_set_aside(struct statefile *file, enum segment_state_error error, const char *why);

/* The fresh file takes the name, in place of the old one. -errno, told. */
int statefile_publish(struct statefile *file);

/* Gives back the descriptors and the lock; a fresh file that was not published goes. */
void statefile_close(struct statefile *file);

#endif
