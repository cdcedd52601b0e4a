/* The places of connections: which is free, and who gives his up. Private to the endpoint. Context: server thread. */
#ifndef CALLMETER_SERVER_HTTP_PLACES_H
#define CALLMETER_SERVER_HTTP_PLACES_H

#include <stdbool.h>
#include <stdint.h>

struct endpoint_connection;

/* A free one of ENDPOINT_CONNECTIONS places, or of the first few where descriptors are the program's numbers too
 * (`is_separate` is false). NULL: all are taken. */
struct endpoint_connection *places_free(struct endpoint_connection *connections, bool is_separate);

/* The connection that makes room for a new one: those that have sent no whole request, or had their answer, go first,
 * and of these the oldest. NULL: there is none. */
struct endpoint_connection *places_evictable(struct endpoint_connection *connections);

/* From when on it may go, by the endpoint's clock. */
uint64_t places_evictable_ns(const struct endpoint_connection *connection);

#endif
