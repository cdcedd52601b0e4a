/* The pages of the endpoint. */
#include "server/http/routes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "server/common/buffer.h"
#include "server/common/numbers.h"
#include "server/http/config.h"
#include "server/http/hosts.h"
#include "server/http/panics.h"
#include "server/snapshot/snapshot.h"

#define PLAIN_TEXT "text/plain; charset=utf-8"
#define JSON       "application/json"

enum {
    EXPOSITION_BYTES_MAX = 256 << 20,
    PENDING_BYTES_MAX = 64 << 20, /* with so much on the way to slow readers, a further scrape has to wait */
};

/* What is to be answered. */
struct answer {
    struct routes *routes;
    struct routes_request *request;
    struct MHD_Connection *connection;
};

/* An exposition on its way to a client. */
struct exposition {
    struct routes *routes;
    struct buffer buffer;
};

static const unsigned scrape_codes[ROUTES_SCRAPE_CODES] = {
    MHD_HTTP_OK, MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_INTERNAL_SERVER_ERROR, MHD_HTTP_SERVICE_UNAVAILABLE};

typedef enum MHD_Result (*route_function)(const struct answer *answer);

uint64_t routes_now_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void routes_init(struct routes *routes, const struct http_config *config, struct routes_tally *tally)
{
    *routes = (struct routes){.config = config, .tally = tally};
}

static bool add_headers(struct MHD_Response *response, unsigned code, const char *type)
{
    struct timespec now = {0};
    char date[NUMBERS_BYTES];

    clock_gettime(CLOCK_REALTIME, &now);
    numbers_format_http_date(now.tv_sec, date);
    return MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date) == MHD_YES &&
           MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
           (code != MHD_HTTP_METHOD_NOT_ALLOWED ||
            MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES) &&
           (code != MHD_HTTP_BAD_REQUEST ||
            MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES);
}

/* Queues the response and lets go of it, whether it was made or not. */
static enum MHD_Result queue(const struct answer *answer, unsigned code, const char *type,
                             struct MHD_Response *response)
{
    enum MHD_Result result = MHD_NO;

    if (!response)
        return MHD_NO;
    if (add_headers(response, code, type))
        result = MHD_queue_response(answer->connection, code, response);
    MHD_destroy_response(response);
    if (result == MHD_YES)
        answer->request->code = code;
    return result;
}

/* `text` is static. */
static enum MHD_Result queue_text(const struct answer *answer, unsigned code, const char *text)
{
    return queue(answer, code, PLAIN_TEXT,
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

/* Of callmeter's own health, and of what it did to the program's: after a fault was turned into a return, nobody knows
 * what the program's memory holds, but it does answer. */
static enum MHD_Result answer_healthy(const struct answer *answer)
{
    const struct segment_header *segment = answer->routes->config->segment;

    if (__atomic_load_n(&segment->is_tainted, __ATOMIC_RELAXED))
        return queue_text(answer, MHD_HTTP_OK, "tainted\n");
    return queue_text(answer, MHD_HTTP_OK, "callmeter is healthy.\n");
}

/* Once ready, ready for good: the clock may be set back. */
static enum MHD_Result answer_ready(const struct answer *answer)
{
    struct routes *routes = answer->routes;
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if ((double)now.tv_sec + (double)now.tv_nsec / 1e9 >= routes->config->start_time)
        routes->is_ready = true;
    if (!routes->is_ready)
        return queue_text(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "callmeter is starting.\n");
    return queue_text(answer, MHD_HTTP_OK, "callmeter is ready.\n");
}

static void free_exposition(void *context)
{
    struct exposition *exposition = context;

    exposition->routes->pending_bytes -= exposition->buffer.used_bytes;
    buffer_finish(&exposition->buffer);
    free(exposition);
}

/* Both clocks, read next to each other; NULL if there is no one to ask for ticks. */
static const struct snapshot_clock *read_clock(const struct routes *routes, struct snapshot_clock *clock)
{
    struct timespec now = {0};

    if (!routes->config->now_ticks)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    clock->ticks = routes->config->now_ticks();
    clock->unix_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return clock;
}

/* Renders the exposition; 0 or -errno. */
static int render(struct routes *routes, struct buffer *buffer)
{
    struct text_endpoint endpoint = {
        .version = routes->config->version,
        .revision = routes->config->revision,
        .scrape_seconds = routes->tally->scrape_seconds,
        .process = &routes->process,
    };
    struct text_scrapes shown[ROUTES_SCRAPE_CODES];
    struct snapshot_clock clock;
    struct snapshot snapshot;
    int error;

    for (int i = 0; i < ROUTES_SCRAPE_CODES; i++)
        if (i == 0 || routes->tally->scrapes[i])
            shown[endpoint.scrapes_count++] =
                (struct text_scrapes){.code = scrape_codes[i], .count = routes->tally->scrapes[i]};
    endpoint.scrapes = shown;
    if (routes->config->before_snapshot)
        routes->config->before_snapshot();
    process_read(&routes->process);
    error =
        snapshot_take(routes->config->segment, routes->config->segment_bytes, read_clock(routes, &clock), &snapshot);
    if (error)
        return error;
    text_render(&snapshot, &endpoint, buffer);
    snapshot_finish(&snapshot);
    return buffer->error;
}

static enum MHD_Result answer_metrics(const struct answer *answer)
{
    struct routes *routes = answer->routes;
    struct exposition *exposition;
    struct MHD_Response *response;

    if (routes->pending_bytes > PENDING_BYTES_MAX)
        return queue_text(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "earlier scrapes are still being sent\n");
    exposition = calloc(1, sizeof(*exposition));
    if (!exposition)
        return queue_text(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    exposition->routes = routes;
    exposition->buffer.limit_bytes = EXPOSITION_BYTES_MAX;
    if (render(routes, &exposition->buffer) != 0) {
        buffer_finish(&exposition->buffer);
        free(exposition);
        return queue_text(answer, MHD_HTTP_INTERNAL_SERVER_ERROR,
                          "the exposition cannot be made: out of memory, or too many series\n");
    }
    routes->pending_bytes += exposition->buffer.used_bytes;
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        exposition->buffer.used_bytes, exposition->buffer.data, free_exposition, exposition);
    if (!response)
        free_exposition(exposition);
    return queue(answer, MHD_HTTP_OK, TEXT_CONTENT_TYPE, response);
}

/* The end that a client has reached; of no family where that cannot be told. */
static struct sockaddr_storage local_end(const struct answer *answer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(answer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_storage local = {0};
    socklen_t length = sizeof(local);

    if (!info || getsockname(info->connect_fd, (void *)&local, &length) != 0)
        local.ss_family = AF_UNSPEC;
    return local;
}

/* Over a Unix socket, whose file is the program's user's alone, or where the manifest says so. */
static bool may_have_registers(const struct answer *answer)
{
    return answer->routes->config->has_registers || local_end(answer).ss_family == AF_UNIX;
}

static enum MHD_Result answer_panics(const struct answer *answer)
{
    const struct http_config *config = answer->routes->config;
    char *text = panics_text(config->panics, config->demangle, may_have_registers(answer));
    struct MHD_Response *response;

    if (!text)
        return queue_text(answer, MHD_HTTP_INTERNAL_SERVER_ERROR,
                          "the reports cannot be read: out of memory, or no right to read the folder\n");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    return queue(answer, MHD_HTTP_OK, JSON, response);
}

/* The path of a URL, which may be in absolute form (RFC 9112, 3.2.2). */
static const char *path_of(const char *url)
{
    const char *path;

    if (strncasecmp(url, "http://", 7) != 0)
        return url;
    path = strchr(url + 7, '/');
    return path ? path : "/";
}

static enum MHD_Result answer_unknown(const struct answer *answer)
{
    return queue_text(answer, MHD_HTTP_NOT_FOUND, "not found\n");
}

static enum MHD_Result answer_foreign(const struct answer *answer)
{
    return queue_text(
        answer, MHD_HTTP_MISDIRECTED_REQUEST,
        "the host of this request is none of this endpoint's names; web.hosts in the manifest adds one\n");
}

/* What is for people and for tools on this machine. A scraper may call the endpoint as it likes. */
static bool is_guarded(const char *path)
{
    return strcmp(path, "/") == 0 || strncmp(path, "/api/", strlen("/api/")) == 0;
}

/* Where a request in absolute form names another host than the header, the header is what a browser would have sent. */
static bool is_foreign(const struct answer *answer)
{
    const struct http_config *config = answer->routes->config;
    const struct sockaddr_storage local = local_end(answer);
    const struct hosts hosts = {(const void *)&local, config->listen, config->hosts};

    return !hosts_has(&hosts, MHD_lookup_connection_value(answer->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST));
}

static route_function find_route(const char *path)
{
    static const struct {
        const char *path;
        route_function answer;
    } routes[] = {
        {"/metrics", answer_metrics},
        {"/-/healthy", answer_healthy},
        {"/-/ready", answer_ready},
        {"/api/v1/panics", answer_panics},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        if (strcmp(path, routes[i].path) == 0)
            return routes[i].answer;
    return answer_unknown;
}

static bool is_read(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* What says how long the body is. */
struct framing {
    unsigned lengths;
    unsigned encodings;
};

static enum MHD_Result count_framing(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *framing = context;

    (void)kind;
    (void)value;
    framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    framing->encodings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* Two lengths, or a length and an encoding: somebody in between may have read another request than this one (RFC 9112,
 * 6.3 and 11.2). */
static bool is_ambiguous(const struct answer *answer)
{
    struct framing framing = {0};

    MHD_get_connection_values(answer->connection, MHD_HEADER_KIND, count_framing, &framing);
    return framing.lengths + framing.encodings > 1;
}

/* The first call for a request, after its header. What is no reading is refused at once, before its body. */
static enum MHD_Result begin_request(const struct answer *answer, route_function route, const char *method)
{
    answer->request->is_begun = true;
    answer->request->is_scrape = route == answer_metrics;
    answer->request->start_ns = routes_now_ns();
    if (is_ambiguous(answer))
        return queue_text(answer, MHD_HTTP_BAD_REQUEST, "the request says twice how long it is\n");
    if (is_read(method))
        return MHD_YES;
    if (route == answer_unknown)
        return route(answer);
    return queue_text(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
}

enum MHD_Result routes_answer(struct routes *routes, struct routes_request *request, struct MHD_Connection *connection,
                              const char *url, const char *method, size_t *upload_bytes)
{
    const struct answer answer = {routes, request, connection};
    const char *path = path_of(url);
    route_function route = is_guarded(path) && is_foreign(&answer) ? answer_foreign : find_route(path);

    if (!request->is_begun)
        return begin_request(&answer, route, method);
    if (*upload_bytes) { /* a GET with a body, which means nothing */
        *upload_bytes = 0;
        return MHD_YES;
    }
    return route(&answer);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t routes_unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        int high = *from == '%' ? digit(from[1]) : -1;
        int low = high >= 0 ? digit(from[2]) : -1;

        if (low >= 0 && high * 16 + low != 0) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

void routes_completed(struct routes *routes, const struct routes_request *request)
{
    if (!request->is_scrape || !request->code)
        return;
    for (int i = 0; i < ROUTES_SCRAPE_CODES; i++)
        if (scrape_codes[i] == request->code)
            routes->tally->scrapes[i]++;
    if (request->code == MHD_HTTP_OK)
        routes->tally->scrape_seconds = (double)(routes_now_ns() - request->start_ns) / 1e9;
}
