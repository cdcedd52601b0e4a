#include "preload/cli/fetch.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "symbols/common/diag.h"

#define HTTP "http://"
#define UNIX "unix:"

enum {
    WAIT_SECONDS = 10,   /* for more of an answer, */
    ANSWER_SECONDS = 30, /* and for all of it */
    ANSWER_BYTES_MAX = 64 << 20,
};

/* What a URL says. */
struct place {
    char host[256];
    char port[32];
    const char *socket; /* of a Unix socket, else NULL */
    char header[300];   /* for Host */
};

/* host:port, which lacks but the scheme. */
static bool is_bare_address(const char *text)
{
    const char *colon = strrchr(text, ':');

    return colon && colon > text && !strchr(text, '/') && colon[1] &&
           colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

bool fetch_is_url(const char *text)
{
    return strstr(text, "://") || strncmp(text, UNIX, sizeof(UNIX) - 1) == 0 || is_bare_address(text);
}

static bool is_port(const char *text)
{
    return *text && strlen(text) <= 5 && text[strspn(text, "0123456789")] == '\0' && atoi(text) <= UINT16_MAX;
}

/* host, host:port or [v6]:port */
static int parse_authority(const char *text, size_t length, struct place *place, struct diag *diag)
{
    const char *end = text + length;
    const char *host = text, *host_end, *port;

    if (length == 0 || length >= sizeof(place->host) || memchr(text, '@', length)) {
        diag_set(diag, "expected http://host:port, without a user");
        return -EINVAL;
    }
    memcpy(place->header, text, length);
    place->header[length] = '\0';
    host_end = *text == '[' ? memchr(text, ']', length) : memchr(text, ':', length);
    port = *text == '[' && host_end ? host_end + 1 : host_end;
    if (*text == '[')
        host++;
    if (!host_end)
        host_end = end;
    snprintf(place->host, sizeof(place->host), "%.*s", (int)(host_end - host), host);
    if (port && port < end && *port == ':' && (size_t)(end - port) <= sizeof(place->port))
        snprintf(place->port, sizeof(place->port), "%.*s", (int)(end - port - 1), port + 1);
    else
        snprintf(place->port, sizeof(place->port), "80");
    if (!is_port(place->port)) {
        diag_set(diag, "\"%s\" is not a port; expected 0 to 65535", place->port);
        return -EINVAL;
    }
    return 0;
}

static int parse(const char *url, struct place *place, struct diag *diag)
{
    *place = (struct place){.header = "localhost"};
    if (strncmp(url, UNIX, sizeof(UNIX) - 1) == 0) {
        place->socket = url + sizeof(UNIX) - 1;
        return 0;
    }
    if (is_bare_address(url))
        return parse_authority(url, strlen(url), place, diag);
    if (strncasecmp(url, HTTP, sizeof(HTTP) - 1) != 0) {
        diag_set(diag, "expected http:// or unix:, other ways are not spoken here");
        return -EINVAL;
    }
    url += sizeof(HTTP) - 1;
    return parse_authority(url, strcspn(url, "/?#"), place, diag);
}

static int connect_to(const struct sockaddr *address, socklen_t bytes)
{
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, address, bytes) == 0)
        return fd;
    error = errno == EINPROGRESS ? ETIMEDOUT : errno; /* so it says that the time is up */
    close(fd);
    return -error;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

static int connect_host(const struct place *place, struct diag *diag)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int result = getaddrinfo(place->host, place->port, &hints, &found);

    if (result != 0) {
        diag_set(diag, "%s", gai_strerror(result));
        return -EHOSTUNREACH;
    }
    result = -EHOSTUNREACH;
    for (const struct addrinfo *each = found; each && result < 0; each = each->ai_next)
        result = connect_to(each->ai_addr, each->ai_addrlen);
    freeaddrinfo(found);
    if (result < 0)
        diag_set(diag, "%s", strerror(-result));
    return result;
}

static int send_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        data += sent;
        bytes -= (size_t)sent;
    }
    return 0;
}

static time_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Until the other side has said all. */
static int receive_all(int fd, char **ret_data, size_t *ret_bytes)
{
    char *data = NULL;
    size_t bytes = 0, capacity = 0;
    time_t late = now_seconds() + ANSWER_SECONDS;
    ssize_t got = 1;

    while (got > 0) {
        if (capacity - bytes < 2) {
            char *larger = capacity < ANSWER_BYTES_MAX ? realloc(data, capacity * 2 + 65536) : NULL;

            if (!larger) {
                free(data);
                return capacity < ANSWER_BYTES_MAX ? -ENOMEM : -EFBIG;
            }
            data = larger;
            capacity = capacity * 2 + 65536;
        }
        got = recv(fd, data + bytes, capacity - bytes - 1, 0);
        if (got > 0 && now_seconds() > late) {
            got = -1;
            errno = EAGAIN;
        }
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            bytes += (size_t)got;
    }
    if (got < 0) {
        int error = errno == EAGAIN ? ETIMEDOUT : errno;

        free(data);
        return -error;
    }
    data[bytes] = '\0';
    *ret_data = data;
    *ret_bytes = bytes;
    return 0;
}

/* The value of a header field, or NULL. */
static const char *field(const char *head, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 3 + length;
    return NULL;
}

/* Takes the head off. */
static int take_body(char *answer, size_t bytes, size_t *ret_bytes, struct diag *diag)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = end ? field(answer, "Content-Length") : NULL;
    size_t head = end ? (size_t)(end - answer) + 4 : 0;

    if (!end || strncmp(answer, "HTTP/1.", 7) != 0) {
        diag_set(diag, "what answers there does not speak HTTP");
        return -EPROTO;
    }
    if (strncmp(answer + 8, " 200 ", 5) != 0) {
        diag_set(diag, "the endpoint says: %.*s", (int)strcspn(answer + 9, "\r\n"), answer + 9);
        return -EPROTO;
    }
    if (length && strtoull(length, NULL, 10) > bytes - head) {
        diag_set(diag, "the answer is cut short");
        return -EPROTO;
    }
    memmove(answer, answer + head, bytes - head + 1);
    *ret_bytes = bytes - head;
    return 0;
}

static int exchange(int fd, const struct place *place, const char *path, char **ret_answer, size_t *ret_bytes)
{
    char request[1024];
    int length = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: application/json\r\n\r\n",
                          path, place->header);
    int result = send_all(fd, request, (size_t)length);

    return result != 0 ? result : receive_all(fd, ret_answer, ret_bytes);
}

int fetch(const char *url, const char *path, char **ret_body, size_t *ret_bytes, struct diag *diag)
{
    struct place place;
    char *answer = NULL;
    size_t bytes = 0;
    int result = parse(url, &place, diag);
    int fd;

    if (result != 0)
        return result;
    fd = place.socket ? connect_unix(place.socket) : connect_host(&place, diag);
    if (fd < 0) {
        if (place.socket)
            diag_set(diag, "%s", strerror(-fd));
        return fd;
    }
    result = exchange(fd, &place, path, &answer, &bytes);
    close(fd);
    if (result != 0) {
        diag_set(diag, "%s", strerror(-result));
        return result;
    }
    result = take_body(answer, bytes, ret_bytes, diag);
    if (result != 0)
        free(answer);
    else
        *ret_body = answer;
    return result;
}
