/* Is the server thread still like the program's? Private to the endpoint.
 *
 * What a thread may and sees is its own in Linux, and a program may change its own by instructions that nobody stands
 * in for. So what the kernel tells of the threads is compared: ids, groups, capabilities, filters of system calls, the
 * label of a security module, root, namespaces of mounts and users. One thread of the program's that is the same will
 * do. */
#ifndef CALLMETER_SERVER_HTTP_LIKENESS_H
#define CALLMETER_SERVER_HTTP_LIKENESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LIKENESS_NAME_BYTES = 16,
    LIKENESS_TEXT_BYTES = 16384, /* of a task's status: with more groups than fit in, nothing is compared */
};

struct likeness {
    int tasks_fd;                     /* of /proc/self/task, also where the root is another one later; -1: none */
    char own[LIKENESS_NAME_BYTES];    /* in there */
    char leader[LIKENESS_NAME_BYTES]; /* the program's first thread */
    uint64_t looked_ns;
    bool is_lost; /* the caller's: the thread is to end */
    char text[LIKENESS_TEXT_BYTES];
};

/* Opens what is needed, in the thread's own table of descriptors; else (not `is_separate`) nothing is compared. Context
 * of both: server thread. */
void likeness_begin(struct likeness *likeness, bool is_separate);

/* False where no thread of the program has what the calling one has. True also where it cannot be told, and when it was
 * looked a moment ago. */
bool likeness_holds(struct likeness *likeness, uint64_t now_ns);

/* The same at once. */
bool likeness_holds_now(struct likeness *likeness);

#endif
