#include "server/http/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_BYTES = 254, /* of a name in the DNS (RFC 1035, 2.3.4), and NUL */
};

/* The name or address without brackets, port and last dot; false: it is too long, or no such thing. */
static bool read_name(const char *text, char name[NAME_BYTES])
{
    bool is_bracketed = text[0] == '[';
    size_t length = strcspn(text + is_bracketed, is_bracketed ? "]" : ":");
    const char *rest = text + is_bracketed + length;

    if (is_bracketed && *rest++ != ']')
        return false;
    if (*rest && (*rest != ':' || rest[1 + strspn(rest + 1, "0123456789")]))
        return false;
    if (length > 0 && !is_bracketed && text[length - 1] == '.')
        length--;
    if (length == 0 || length >= NAME_BYTES)
        return false;
    memcpy(name, text + is_bracketed, length);
    name[length] = '\0';
    return true;
}

static bool is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == IN_LOOPBACKNET);
}

static struct in6_addr mapped(const struct in_addr *address)
{
    struct in6_addr result = {.s6_addr = {[10] = 0xFF, [11] = 0xFF}};

    memcpy(&result.s6_addr[12], address, sizeof(*address));
    return result;
}

/* IPv4 as IPv6 has it. */
static bool read_address(const char *name, struct in6_addr *ret_address)
{
    struct in_addr four;

    if (inet_pton(AF_INET6, name, ret_address) == 1)
        return true;
    if (inet_pton(AF_INET, name, &four) != 1)
        return false;
    *ret_address = mapped(&four);
    return true;
}

static bool is_local(const struct hosts *hosts, const struct in6_addr *address)
{
    struct in6_addr local;

    if (hosts->local->sa_family == AF_INET)
        local = mapped(&((const struct sockaddr_in *)(const void *)hosts->local)->sin_addr);
    else if (hosts->local->sa_family == AF_INET6)
        local = ((const struct sockaddr_in6 *)(const void *)hosts->local)->sin6_addr;
    else
        return false;
    return memcmp(&local, address, sizeof(local)) == 0;
}

static bool is_localhost(const char *name)
{
    static const char suffix[] = "localhost";
    size_t length = strlen(name);
    size_t before = length - (sizeof(suffix) - 1);

    return length >= sizeof(suffix) - 1 && strcasecmp(name + before, suffix) == 0 &&
           (before == 0 || name[before - 1] == '.');
}

static bool is_named(const char *text, const char *name)
{
    char own[NAME_BYTES];

    return read_name(text, own) && strcasecmp(own, name) == 0;
}

static bool has_name(const struct hosts *hosts, const char *name)
{
    for (const char *const *own = hosts->names; own && *own; own++)
        if (is_named(*own, name))
            return true;
    return is_localhost(name) || (hosts->listen && is_named(hosts->listen, name));
}

bool hosts_has(const struct hosts *hosts, const char *host)
{
    char name[NAME_BYTES];
    struct in6_addr address;

    if (!host || hosts->local->sa_family == AF_UNIX)
        return true;
    if (!read_name(host, name))
        return false;
    if (read_address(name, &address) && (is_loopback(&address) || is_local(hosts, &address)))
        return true;
    return has_name(hosts, name);
}
