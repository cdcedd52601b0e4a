/* The http module: server/ behind one exported name. Loaded only where an endpoint is asked for, for the weight of its
 * libraries. */
#include "preload/shim.h"
#include "preload/version.h"
#include "server/http/http.h"

__attribute__((visibility("default"))) extern const struct http_calls SHIM_NAME(callmeter_http);

const struct http_calls SHIM_NAME(callmeter_http) = {
    .start = http_start,
    .resume = http_resume,
    .pause = http_pause,
    .has_left = http_has_left,
    .repeat = http_repeat,
    .hold = http_hold,
    .let_go = http_let_go,
    .forked = http_forked,
};
