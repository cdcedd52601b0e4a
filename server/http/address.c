/* Where the endpoint listens. */
#include "server/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 511
};

static const char unix_prefix[] = "unix:";

static int parse_unix(const char *path, struct address *address, char *text, size_t text_bytes)
{
    struct sockaddr_un *name = (void *)&address->storage;
    size_t length = strlen(path);

    if (path[0] != '/' || length >= sizeof(name->sun_path)) {
        snprintf(text, text_bytes, "\"unix:%s\": expected unix: and an absolute path of less than %zu bytes", path,
                 sizeof(name->sun_path));
        return -EINVAL;
    }
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, length + 1);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    address->is_local = true;
    return 0;
}

static bool parse_port(const char *digits, in_port_t *ret_port)
{
    unsigned long value;

    if (!*digits || strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 5)
        return false;
    value = strtoul(digits, NULL, 10);
    *ret_port = htons((uint16_t)value);
    return value <= UINT16_MAX;
}

/* Splits host:port or [host]:port. Host is empty for `:port`. */
static bool split(const char *listen, char *host, size_t host_bytes, const char **ret_port, bool *ret_is_bracketed)
{
    const char *colon = strrchr(listen, ':');
    const char *start = listen;
    const char *end = colon;

    if (!colon)
        return false;
    *ret_is_bracketed = listen[0] == '[';
    if (*ret_is_bracketed) {
        if (end == listen || end[-1] != ']')
            return false;
        start++;
        end--;
    }
    if ((size_t)(end - start) >= host_bytes || (*ret_is_bracketed && end <= start) ||
        (!*ret_is_bracketed && memchr(start, ':', (size_t)(end - start))))
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *ret_port = colon + 1;
    return true;
}

/* Fills in the address of a host; 0 or a getaddrinfo error. A number is never looked up. */
static int resolve(const char *host, bool is_v6, struct address *address)
{
    struct addrinfo hints = {.ai_family = is_v6 ? AF_INET6 : AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error;

    hints.ai_flags = AI_NUMERICHOST;
    error = getaddrinfo(host, NULL, &hints, &found);
    if (error == EAI_NONAME && !is_v6) {
        hints.ai_flags = 0;
        error = getaddrinfo(host, NULL, &hints, &found);
    }
    if (error)
        return error;
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static bool is_loopback(const struct address *address)
{
    const struct sockaddr_in *v4 = (const void *)&address->storage;
    const struct sockaddr_in6 *v6 = (const void *)&address->storage;

    if (address->storage.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

/* The port is in the same place of both. */
static void set_port(struct address *address, in_port_t port)
{
    _Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "port");
    ((struct sockaddr_in *)(void *)&address->storage)->sin_port = port;
}

static int parse_host(const char *listen, struct address *address, char *text, size_t text_bytes)
{
    char host[256];
    const char *digits = "";
    bool is_bracketed = false;
    in_port_t port;
    int error;

    if (!split(listen, host, sizeof(host), &digits, &is_bracketed) || !parse_port(digits, &port)) {
        snprintf(text, text_bytes,
                 "\"%s\": expected host:port, [IPv6 address]:port or unix:/path, port from 0 to 65535", listen);
        return -EINVAL;
    }
    address->is_wildcard = !*host;
    if (!*host)
        strcpy(host, "::");
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    error = resolve(host, is_bracketed, address);
    if (error) {
        snprintf(text, text_bytes, "\"%s\": the host \"%s\" is not known: %s", listen, host, gai_strerror(error));
        return -EINVAL;
    }
    address->is_local = is_loopback(address);
    set_port(address, port);
    return 0;
}

int address_parse(const char *listen, struct address *ret_address, char *text, size_t text_bytes)
{
    struct address address = {0};
    int error;

    if (strncmp(listen, unix_prefix, strlen(unix_prefix)) == 0)
        error = parse_unix(listen + strlen(unix_prefix), &address, text, text_bytes);
    else
        error = parse_host(listen, &address, text, text_bytes);
    if (!error)
        *ret_address = address;
    return error;
}

static int make_socket(const struct address *address, int *ret_fd)
{
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    const int off = 0;
    int error = 0;

    if (fd < 0)
        return -errno;
    if (family == AF_UNIX)
        error = fchmod(fd, 0600); /* bind gives the file this mode (Linux; the umask is the program's to change) */
    else
        error = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!error && family == AF_INET6)
        error = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* [::] means all, as in Go */
    if (error) {
        error = -errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static int bind_socket(const struct address *address, int *ret_fd)
{
    int fd = -1;
    int error = make_socket(address, &fd);

    if (error)
        return error;
    if (bind(fd, (const void *)&address->storage, address->length) != 0 || listen(fd, BACKLOG) != 0) {
        error = -errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

/* What stands at the path: -ECONNREFUSED is a socket that nobody accepts on, -EACCES one that is not for us. */
static int probe(const struct address *address)
{
    const struct sockaddr_un *name = (const void *)&address->storage;
    struct stat status;
    int error = 0;
    int fd;

    if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return -ENOTSOCK;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const void *)&address->storage, address->length) != 0)
        error = -errno;
    close(fd);
    return error;
}

/* Another one's path is left to it; what a dead server left is replaced. */
static int replace_socket(const struct address *address, int *ret_fd)
{
    const char *path = ((const struct sockaddr_un *)(const void *)&address->storage)->sun_path;
    int error = probe(address);

    if (error == -EACCES)
        return error;
    if (error != -ECONNREFUSED)
        return -EADDRINUSE;
    if (unlink(path) != 0 && errno != ENOENT)
        return -errno;
    return bind_socket(address, ret_fd);
}

int address_listen(const struct address *address, int *ret_fd)
{
    int error = bind_socket(address, ret_fd);

    if (error == -EADDRINUSE && address->storage.ss_family == AF_UNIX)
        error = replace_socket(address, ret_fd);
    if (error && error != -EADDRINUSE && address->is_wildcard && address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)&address->storage;
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};
        struct address all = {.length = sizeof(v4)};

        memcpy(&all.storage, &v4, sizeof(v4));
        error = bind_socket(&all, ret_fd);
    }
    return error;
}

int address_bound(int fd, struct address *ret_address)
{
    struct address address = {.length = sizeof(address.storage)};

    if (getsockname(fd, (void *)&address.storage, &address.length) != 0)
        return -errno;
    address.is_local = address.storage.ss_family == AF_UNIX || is_loopback(&address);
    *ret_address = address;
    return 0;
}

int address_describe(int fd, char text[ADDRESS_TEXT_BYTES])
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof(storage);
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    int error;

    if (getsockname(fd, (void *)&storage, &length) != 0)
        return -errno;
    if (storage.ss_family == AF_UNIX) {
        snprintf(text, ADDRESS_TEXT_BYTES, "unix:%s", ((const struct sockaddr_un *)(const void *)&storage)->sun_path);
        return 0;
    }
    error =
        getnameinfo((void *)&storage, length, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    if (error)
        return -EINVAL;
    snprintf(text, ADDRESS_TEXT_BYTES, storage.ss_family == AF_INET6 ? "[%.200s]:%.10s" : "%.200s:%.10s", host, port);
    return 0;
}

/* Writes all of it; -errno. */
static int write_all(int fd, const char *bytes, size_t count)
{
    while (count) {
        ssize_t written = write(fd, bytes, count);

        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return 0;
}

static int write_new_file(const char *path, const char *content)
{
    char line[ADDRESS_TEXT_BYTES + 1];
    int length = snprintf(line, sizeof(line), "%s\n", content);
    int error;
    int fd;

    unlink(path); /* of a process with our number that died while it wrote */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    error = write_all(fd, line, (size_t)length);
    if (close(fd) != 0 && !error)
        error = -errno;
    return error;
}

int address_write_file(const char *path, const char *content)
{
    struct stat status;
    char *temporary;
    int error;

    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return -EEXIST;
    if (asprintf(&temporary, "%s.%ld", path, (long)getpid()) < 0)
        return -ENOMEM;
    error = write_new_file(temporary, content);
    if (!error && rename(temporary, path) != 0)
        error = -errno;
    if (error)
        unlink(temporary);
    free(temporary);
    return error;
}
