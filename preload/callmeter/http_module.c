/* The http module: server/ behind one exported name. Loaded only where an endpoint is asked for, for the weight of its
 * libraries. */
#include "server/http.h"

__attribute__((visibility("default"))) int callmeter_http_start(const struct http_config *config, char *text,
                                                                size_t text_bytes);

int callmeter_http_start(const struct http_config *config, char *text, size_t text_bytes)
{
    return http_start(config, text, text_bytes);
}
