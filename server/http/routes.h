/* The pages of the endpoint: which there are, and what each answers. Private to the endpoint. */
#ifndef CALLMETER_SERVER_HTTP_ROUTES_H
#define CALLMETER_SERVER_HTTP_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "server/common/process.h"
#include "server/formats/text.h"

struct http_config;

enum {
    ROUTES_SCRAPE_CODES = 4
};

/* What goes on where another process takes over. */
struct routes_tally {
    uint64_t scrapes[ROUTES_SCRAPE_CODES]; /* by code; 200 first */
    double scrape_seconds;
};

/* One for a server; used on its thread only. */
struct routes {
    const struct http_config *config;
    struct routes_tally *tally;
    bool is_ready;
    struct process_stats process;
    size_t pending_bytes; /* of expositions that are still being sent */
};

/* One request; zeroed before each. */
struct routes_request {
    bool is_begun;
    bool is_scrape;
    unsigned code; /* of the answer */
    uint64_t start_ns;
};

/* The config and the tally are the caller's, and stay. Context of all here: server thread. */
void routes_init(struct routes *routes, const struct http_config *config, struct routes_tally *tally);

/* Answers a request: called by MHD_AccessHandlerCallback's rules, which is repeatedly until an answer is queued. MHD_NO
 * ends the connection. */
enum MHD_Result routes_answer(struct routes *routes, struct routes_request *request, struct MHD_Connection *connection,
                              const char *url, const char *method, size_t *upload_bytes);

/* Takes the percent signs out of a path, in place, and returns how long it is then. %00 stays as it is, or what is
 * behind it would be lost, and the path would be another one. Context: any. */
size_t routes_unescape(char *text);

/* The answer was sent, or its client is gone. */
void routes_completed(struct routes *routes, const struct routes_request *request);

/* CLOCK_MONOTONIC. */
uint64_t routes_now_ns(void);

#endif
