/* What DWARF says of an object's functions: where their parameters are, and where they were inlined. Read with libdw,
 * from the object or its debug file, only when somebody asks. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_DEBUGINFO_H
#define CALLMETER_SYMBOLS_DEBUGINFO_DEBUGINFO_H

#include <stddef.h>
#include <stdint.h>

#include "symbols/values/value.h"

struct diag;
struct object;

/* The debug information of one object. It stays open for many questions. */
struct debuginfo;

#define DEBUGINFO_ANY_SIZE SIZE_MAX

/* Opens the object's own DWARF, or that of its debug file (by build id under /usr/lib/debug, or .gnu_debuglink), with
 * the file that dwz shares between several (.gnu_debugaltlink). -ENOENT: there is none, and the diag says which package
 * or build has it; -EFBIG: it is larger than `bytes_max`, uncompressed, or than memory; -EINVAL: it is damaged;
 * -ENOMEM. Context: startup. */
int debuginfo_open(const struct object *object, size_t bytes_max, struct debuginfo **ret_debuginfo, struct diag *diag);

/* Takes NULL. */
void debuginfo_close(struct debuginfo *debuginfo);

/* A parameter that is looked for. */
struct debuginfo_query {
    const char *param;
    const char *field;    /* a member of the struct that it is or points to; NULL: the parameter itself */
    enum value_type type; /* VALUE_VOID: what DWARF says */
};

/* Finds a parameter by its name, or a member of it, in the function that begins at `address`, by the types of all its
 * parameters and the calling convention (System V ABI, AMD64 supplement, 3.2.3). -ENOENT: there is no such parameter,
 * member or function (the diag names those that there are); -ENOTSUP: it is in no place that can be read; -EINVAL: the
 * types do not agree. Never crashes, whatever the file holds. Context: startup. */
int debuginfo_locate(struct debuginfo *debuginfo, uint64_t address, const struct debuginfo_query *query,
                     struct value_location *ret_location, struct diag *diag);

/* A function whose inlined copies are counted. */
struct debuginfo_inlined {
    uint64_t address;
    size_t places; /* where its body was copied into another function, or into itself */
};

/* Sets `places` of `count` functions, no two of which begin at one address, in one walk over all of the DWARF; to 0
 * where DWARF says nothing, or is larger than `bytes_max`. -ENOMEM. Context: startup. */
int debuginfo_count_inlined(struct debuginfo *debuginfo, size_t bytes_max, struct debuginfo_inlined *functions,
                            size_t count);

#endif
