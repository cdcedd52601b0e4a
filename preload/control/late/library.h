/* A library that comes later, and what is settled for all of them at the start. */
#ifndef CALLMETER_PRELOAD_CONTROL_LATE_LIBRARY_H
#define CALLMETER_PRELOAD_CONTROL_LATE_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "symbols/plan/plan.h"

struct clock;
struct manifest;
struct recover_value;
struct segment_header;
struct shim;
struct stub_map;

/* Stays valid for ever. */
struct late_config {
    const struct shim *shim;
    const struct manifest *manifest;
    const struct clock *clock;
    struct segment_header *segment;
    struct recover_value *recover; /* by row, function_capacity of them; NULL: nothing is recovered */
    struct stub_map *places;       /* of the start: that of each visit follows it */
    bool has_shadow_stack;
    bool is_data_scanned; /* runtime.h */
    enum plan_mode limit; /* what a runtime in the process leaves of all plans */
    const char *limit_reason;
};

/* A library in memory. */
struct late_object {
    const char *path;
    const char *soname; /* or NULL */
    uintptr_t load_bias;
    bool is_elsewhere; /* in another namespace: its errno is not ours */
    bool is_relocated; /* else its IFUNCs cannot be asked, and no thread can be running it */
};

/* Which functions of it are meant: IFUNCs have to wait until the library is relocated. */
enum late_pass {
    LATE_ALL,
    LATE_BUT_IFUNCS,
    LATE_IFUNCS,
};

#endif
