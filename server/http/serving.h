/* The server thread's life: wait to be elected, serve, make way for another one. Private to the endpoint. */
#ifndef CALLMETER_SERVER_HTTP_SERVING_H
#define CALLMETER_SERVER_HTTP_SERVING_H

#include <locale.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/http/address.h"
#include "server/http/descriptors.h"
#include "server/http/election.h"
#include "server/http/endpoint.h"
#include "server/http/likeness.h"
#include "server/http/parking.h"
#include "server/http/repeats.h"
#include "server/http/routes.h"

struct http_config;

enum serving_log_level {
    SERVING_LOG_ERROR,
    SERVING_LOG_WARN,
    SERVING_LOG_INFO,
};

/* One a process: what is in it stays valid in a forked child, whose own thread starts from it. */
struct serving {
    const struct http_config *config;
    struct address address;
    struct election election;
    locale_t locale; /* the thread's */
    /* Where the number of the program's first thread is, which the kernel zeroes and wakes at its end; and the same, or
     * NULL if another thread is the first of this process. */
    const uint32_t *initial_thread;
    const uint32_t *first_thread;
    /* Of the thread: */
    bool is_first; /* of the process that was started: it says what becomes of the address */
    atomic_bool is_to_stop;
    atomic_int thread_id; /* 0: not known yet */
    struct parking parking;
    struct repeats repeats;
    struct likeness likeness;
    atomic_bool has_left; /* the thread has ended itself, or is about to */
    struct descriptors descriptors;
    struct routes routes;
    struct endpoint endpoint;
    pthread_t thread;
    jmp_buf broken; /* out of libmicrohttpd, valid while is_serving */
    bool is_serving;
    unsigned looks;       /* whether the process is over */
    uint64_t periodic_ns; /* when config.periodic is due; UINT64_MAX: it is another process's */
    sem_t is_started;
    atomic_int start_error; /* valid once is_started was posted, which only the first one does */
};

/* To be called before each thread. Context: the program's only thread, as far as we know. */
void serving_begin(struct serving *serving, bool is_first);

/* The thread: returns when it is to stop, or cannot serve ever. Context: server thread. */
void serving_run(struct serving *serving);

/* Makes serving_run return soon; or, not `is_tidy`, ends the thread where it waits. To be called again until it is
 * gone. Context: any thread of the program. */
void serving_stop(struct serving *serving, bool is_tidy);

#endif
