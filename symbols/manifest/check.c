/* What single strings of a manifest may hold. */
#include "symbols/manifest/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "symbols/common/diag.h"
#include "symbols/manifest/manifest.h"

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool manifest_check_is_name(const char *text)
{
    if (!*text || strchr(DIGITS, *text))
        return false;
    return text[strspn(text, LETTERS DIGITS "_")] == '\0';
}

int manifest_check_label_name(const char *name, bool is_constant, struct diag *diag)
{
    static const char *const reserved[] = {
        "le",     "quantile", "job",    "instance", "function", "module",   "kind",    "outcome",  "error_type",
        "reason", "state",    "symbol", "mode",     "signal",   "resource", "version", "revision", "label",
    };
    bool is_reserved = is_constant && strcmp(name, "code") == 0;

    if (!manifest_check_is_name(name))
        return diag_refuse(diag, -EINVAL, "not a name for a label; expected [a-zA-Z_][a-zA-Z0-9_]*");
    if (strncmp(name, "__", 2) == 0)
        return diag_refuse(diag, -EINVAL,
                           "names of labels that begin with __ are reserved for Prometheus; expected another name");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        is_reserved |= strcmp(name, reserved[i]) == 0;
    if (!is_reserved)
        return 0;
    diag_set(diag, "the label name \"%s\" is reserved; expected another name", name);
    return -EINVAL;
}

/* Behind `[:alpha:]`, `[.-.]` and their like inside of a bracket expression, or NULL if there is none at `c`. */
static const char *class_end(const char *c)
{
    const char kind = c[0] == '[' ? c[1] : '\0';
    const char *end;

    if (kind != ':' && kind != '.' && kind != '=')
        return NULL;
    end = c + 2 + strspn(c + 2, LETTERS);
    if (end == c + 2 && *end)
        end++;
    return end[0] == kind && end[1] == ']' ? end + 2 : NULL;
}

/* The `]` that closes the bracket expression at `open`, or NULL. A `]` that comes first is a member, as in [!]a]. */
static const char *bracket_end(const char *open)
{
    const char *c = open + 1;

    if (*c == '!' || *c == '^')
        c++;
    if (*c == ']')
        c++;
    while (*c && *c != ']') {
        const char *end = class_end(c);

        if (end)
            c = end;
        else
            c += *c == '\\' && c[1] ? 2 : 1;
    }
    return *c ? c : NULL;
}

int manifest_check_glob(const char *text, bool *ret_is_glob, struct diag *diag)
{
    bool is_glob = false;

    for (const char *c = text; *c; c++) {
        const char *end = c;

        if (*c == '[' && c[1] == ']' && !bracket_end(c))
            continue;
        if (*c == '[')
            end = bracket_end(c);
        if (!end) {
            diag_set(diag, "\"[\" is not closed; expected \"]\" behind it, or \"\\\\[\" for the character itself");
            return -EINVAL;
        }
        if (*c == '\\' && !*++end) {
            diag_set(diag, "ends in \"\\\\\"; expected the character that it quotes");
            return -EINVAL;
        }
        is_glob |= strchr("*?[\\", *c) != NULL;
        c = end;
    }
    *ret_is_glob = is_glob;
    return 0;
}

static bool is_port(const char *text)
{
    const size_t length = strlen(text);

    return length >= 1 && length <= 5 && strspn(text, DIGITS) == length && atoi(text) <= 65535;
}

static int check_unix(const char *path, struct diag *diag)
{
    const size_t bytes_max = sizeof(struct sockaddr_un) - offsetof(struct sockaddr_un, sun_path) - 1;

    if (*path != '/')
        return diag_refuse(diag, -EINVAL, "not an absolute path; expected unix:/path");
    if (strlen(path) > bytes_max) {
        diag_set(diag, "the path of a unix socket has at most %zu bytes", bytes_max);
        return -EINVAL;
    }
    return 0;
}

static int check_port(const char *text, struct diag *diag)
{
    char quoted[DIAG_QUOTE_BYTES];

    if (is_port(text))
        return 0;
    diag_set(diag, "%s is not a port; expected 0 to 65535", diag_quote(quoted, text));
    return -EINVAL;
}

static int check_v6(const char *listen, struct diag *diag)
{
    const char *end = strchr(listen, ']');
    const size_t length = end ? (size_t)(end - listen - 1) : 0;
    char host[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (end && end[1] == ':' && length < sizeof host) {
        memcpy(host, listen + 1, length);
        host[length] = '\0';
        if (inet_pton(AF_INET6, host, &address) == 1)
            return check_port(end + 2, diag);
    }
    return diag_refuse(diag, -EINVAL, "not an IPv6 address and a port; expected [v6]:port");
}

/* A host of digits and dots must be a whole IPv4 address: nobody means a name by it. */
static bool is_host(const char *host, size_t length)
{
    char text[256];
    struct in_addr address;

    if (length == 0 || length >= sizeof text || *host == '-' || *host == '.')
        return false;
    memcpy(text, host, length);
    text[length] = '\0';
    if (strspn(text, DIGITS ".") == length)
        return inet_pton(AF_INET, text, &address) == 1;
    return strspn(text, LETTERS DIGITS ".-_") == length;
}

int manifest_check_listen(const char *listen, struct diag *diag)
{
    const char *colon = strchr(listen, ':');

    if (strcmp(listen, "none") == 0)
        return 0;
    if (strncmp(listen, "unix:", 5) == 0)
        return check_unix(listen + 5, diag);
    if (*listen == '[')
        return check_v6(listen, diag);
    if (colon && strchr(colon + 1, ':')) {
        diag_set(diag, "more than one \":\"; expected host:port, or [v6]:port with the brackets");
        return -EINVAL;
    }
    if (!colon || !is_host(listen, (size_t)(colon - listen)))
        return diag_refuse(diag, -EINVAL, "not an address; expected host:port, [v6]:port, unix:/path or none");
    return check_port(colon + 1, diag);
}
