#include "server/http/places.h"

#include <stddef.h>

#include "server/http/endpoint.h"

#define SECOND_NS UINT64_C(1000000000)

/* Without a whole request: as soon as what came with the first bytes was looked at; else when the answer was on its way
 * for so long, which a scraper takes at once. */
#define WAITING_NS  (SECOND_NS / 200)
#define ANSWERED_NS (SECOND_NS / 4)

struct endpoint_connection *places_free(struct endpoint_connection *connections, bool is_separate)
{
    int count = is_separate ? ENDPOINT_CONNECTIONS : ENDPOINT_CONNECTIONS_SHARED;

    for (int i = 0; i < count; i++)
        if (connections[i].fd < 0)
            return &connections[i];
    return NULL;
}

/* Has it sent no whole request, or had its answer already? */
static bool is_waiting(const struct endpoint_connection *connection)
{
    return !connection->request.is_begun;
}

static bool goes_before(const struct endpoint_connection *one, const struct endpoint_connection *other)
{
    if (is_waiting(one) != is_waiting(other))
        return is_waiting(one);
    return one->since_ns < other->since_ns;
}

struct endpoint_connection *places_evictable(struct endpoint_connection *connections)
{
    struct endpoint_connection *found = NULL;

    for (int i = 0; i < ENDPOINT_CONNECTIONS; i++)
        if (connections[i].fd >= 0 && (!found || goes_before(&connections[i], found)))
            found = &connections[i];
    return found;
}

uint64_t places_evictable_ns(const struct endpoint_connection *connection)
{
    return connection->since_ns + (is_waiting(connection) ? WAITING_NS : ANSWERED_NS);
}
