/* What DWARF says of an object's functions: where their parameters are, and where they were inlined. Read with libdw,
 * from the object or its debug file, only when somebody asks. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_DEBUGINFO_H
#define CALLMETER_SYMBOLS_DEBUGINFO_DEBUGINFO_H

#include <stdbool.h>
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

/* An argument that is looked for. */
struct debuginfo_query {
    const char *param;    /* a parameter by name; NULL: by number */
    const char *field;    /* a member of the struct that it is or points to; NULL: the parameter itself */
    unsigned number;      /* without a name: the number-th argument in general registers and behind them, from 1 */
    bool is_vector;       /* or in vector registers */
    enum value_type type; /* VALUE_VOID: what DWARF says */
};

/* What DWARF says of the place of an argument when the function begins. */
enum debuginfo_evidence {
    DEBUGINFO_SILENT, /* nothing, so that it rests on the calling convention */
    DEBUGINFO_PLACED, /* it is in `location` */
    DEBUGINFO_STORED, /* the function stores it in its frame; the register that is stored there is the place */
    DEBUGINFO_GONE,   /* in none that could be read: the compiler left it out, or made a constant of it */
};

struct debuginfo_found {
    enum debuginfo_evidence evidence;
    struct value_location location; /* PLACED: by its place, else by the calling convention */
    bool has_convention;            /* the calling convention gives a place at all */
    struct value_location convention;
    bool is_slot_from_rsp; /* STORED: `slot` is bytes from rsp behind the prologue, else from the return address */
    int64_t slot;          /* of the first byte that is read */
    struct value_location stored; /* `location` but for place and number, which the register gives that is stored */
};

/* Finds an argument, or a member of it, of the function that begins at `address`. -ENOENT: there is no such parameter,
 * member or function (the diag names those that there are); -ENOTSUP: it is in no place that can be read; -EINVAL: the
 * types do not agree, or there are not so many arguments: the diag ends with the prototype. Never crashes, whatever the
 * file holds. Context: startup. */
int debuginfo_locate(struct debuginfo *debuginfo, uint64_t address, const struct debuginfo_query *query,
                     struct debuginfo_found *ret_found, struct diag *diag);

enum {
    DEBUGINFO_PROTOTYPE_BYTES = 160,
};

/* A function as DWARF has it. */
struct debuginfo_function {
    bool is_gnu;             /* GCC compiled it */
    bool is_c;               /* in C, C++ or Objective-C: others have ABIs of their own */
    bool has_own_convention; /* DW_AT_calling_convention says that the compiler has changed it */
    bool is_external;
    bool has_prototype;           /* what follows is known */
    bool is_void;                 /* it returns nothing */
    struct value_location result; /* type and bytes of a result in rax or xmm0; VALUE_VOID: it is of another kind */
    char prototype[DEBUGINFO_PROTOTYPE_BYTES]; /* "int handle(int id, const char *path)", cut where the room ends */
};

/* What DWARF says of the function that begins at `address`. -ENOENT: nothing; -ENOLINK: it is in a .dwo file; -ENOMEM.
 * Context: startup. */
int debuginfo_function(struct debuginfo *debuginfo, uint64_t address, struct debuginfo_function *ret_function);

/* True if GCC made every unit, or an assembler. Context: startup. */
bool debuginfo_is_all_gnu(struct debuginfo *debuginfo);

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
