/* What code belongs to the function that is planned. Private to symbols/plan/. */
#ifndef CALLMETER_SYMBOLS_PLAN_OWN_H
#define CALLMETER_SYMBOLS_PLAN_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_request;

/* Bytes from the entry on that are scanned: the function, or all up to the next one where its size is not known. */
size_t own_bytes(const struct plan_request *request);

/* True if the address is in the function or in its cold part. */
bool own_holds(const struct plan_request *request, uint64_t address);

#endif
