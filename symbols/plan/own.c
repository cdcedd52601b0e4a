#include "symbols/plan/own.h"

#include "symbols/plan/plan.h"

size_t own_bytes(const struct plan_request *request)
{
    bool has_size = request->function_bytes && request->function_bytes < request->code_bytes;

    return has_size ? request->function_bytes : request->code_bytes;
}

bool own_holds(const struct plan_request *request, uint64_t address)
{
    return address - request->address < own_bytes(request) || address - request->cold_address < request->cold_bytes;
}
