/* The manifest: what the user asked for, read from JSON and checked, before any program is looked at. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_MANIFEST_H
#define CALLMETER_SYMBOLS_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/values/condition.h"

struct diag;

enum manifest_kind {
    MANIFEST_KIND_FUNCTION,
    MANIFEST_KIND_OPERATION,
    MANIFEST_KIND_MESSAGE_PROCESSOR,
    MANIFEST_KIND_LOOP,
    MANIFEST_KIND_WORKER,
    MANIFEST_KIND_BATCH_JOB,
    MANIFEST_KIND_DEPENDENCY,
    MANIFEST_KIND_UPSTREAM,
    MANIFEST_KIND_QUERY,
    MANIFEST_KIND_TRANSACTION,
    MANIFEST_KIND_HEALTH_CHECK,
    MANIFEST_KIND_HTTP_HANDLER,
};

enum manifest_mode {
    MANIFEST_MODE_AUTO,
    MANIFEST_MODE_FULL,
    MANIFEST_MODE_COUNT,
};

enum manifest_error_type {
    MANIFEST_ERROR_TYPE_NONE,
    MANIFEST_ERROR_TYPE_ERRNO,
    MANIFEST_ERROR_TYPE_RET,
};

/* A constant label; both strings are valid UTF-8. */
struct manifest_label {
    char *name;
    char *value;
};

enum manifest_source {
    MANIFEST_SOURCE_NONE,
    MANIFEST_SOURCE_ARG,  /* the number-th integer or pointer argument */
    MANIFEST_SOURCE_FARG, /* the number-th floating-point one */
    MANIFEST_SOURCE_RET,
    MANIFEST_SOURCE_PARAM, /* a parameter by name: where it is, DWARF tells (symbols/debuginfo/debuginfo.h) */
};

/* A value that a call has: `{"arg": 2, "type": "cstring"}` and its like. */
struct manifest_value {
    enum manifest_source source;
    unsigned number;      /* ARG, FARG: 1 to 32 */
    char *param;          /* PARAM, else NULL */
    char *field;          /* PARAM: a member of the struct it points to, or is; else NULL */
    enum value_type type; /* RET: what `returns` is; PARAM: VALUE_VOID if the document leaves it to DWARF */
};

/* A label whose values come from calls. `map` renames values, as they would be shown, to others; sorted by name, which
 * is the value renamed: it may be empty, and is of a shape that values of the type have. */
struct manifest_dynamic_label {
    char *name;
    struct manifest_value value;
    size_t max_values; /* 0: none was given */
    struct manifest_label *map;
    size_t map_count;
};

/* One entry of `functions`. Optional strings are NULL where the document has none.
 *
 * Globs are patterns of fnmatch(3) with no flags. C++ names hold their characters too: "operator*" is a glob here, and
 * a glob that is a symbol's very name means that symbol, so whoever resolves it tries the exact name first. */
struct manifest_function {
    char *symbol; /* exact name or glob; NULL: the place is named by build id and offset */
    bool is_glob;
    char *build_id;  /* lower-case hexadecimal; with offset, in place of the symbol */
    uint64_t offset; /* virtual address in the file */
    char *object;    /* glob without a slash, or NULL */
    char *name;      /* value of the `function` label, or NULL: the symbol found */
    enum manifest_kind kind;
    struct manifest_label *labels; /* static ones, sorted by name */
    size_t label_count;
    struct manifest_dynamic_label *dynamic_labels; /* sorted by name */
    size_t dynamic_label_count;                    /* at most 8 */
    size_t label_values_max; /* how many tuples of dynamic labels' values are told apart: the largest `max_values`
                                given, else the default; also of error types by value */
    enum value_type returns;
    struct condition error_when;
    struct condition throttled_when;
    enum manifest_error_type error_type;
    struct manifest_value items; /* source NONE: not given */
    double sample_rate;          /* (0, 1]; the default already applied */
    double *buckets;             /* seconds, strictly ascending, finite; defaults, if only of the kind, applied */
    size_t bucket_count;
    double slo_objective;   /* (0, 1); 0: no `slo` */
    double slo_latency;     /* seconds, a bucket's bound; 0: none */
    bool has_recover;       /* after a fault inside a call, return this to its caller */
    uint64_t recover_value; /* as rax holds it; of narrow types, the bits above mean nothing */
    enum manifest_mode mode;
    bool is_trusted; /* arguments and result are as the document says, though nothing proves it */
    bool is_optional;
    int line; /* where the entry begins in its file, from 1 */
};

enum manifest_gauge_source {
    MANIFEST_GAUGE_NONE,
    MANIFEST_GAUGE_CONSTANT,
    MANIFEST_GAUGE_GLOBAL, /* a variable of the program */
    MANIFEST_GAUGE_CALL,   /* an argument or the result of the latest call of a function */
};

struct manifest_gauge {
    enum manifest_gauge_source source;
    double constant;
    char *global;                /* symbol of a variable */
    char *object;                /* glob, or NULL: the program, then its libraries */
    uint64_t offset;             /* bytes behind the symbol or, with is_deref, behind what it points to */
    bool is_deref;               /* the variable is a pointer to where the value is */
    enum value_type type;        /* GLOBAL: of the value; not a string */
    size_t function;             /* CALL: index in functions */
    struct manifest_value value; /* CALL */
};

/* Something of which there is a limited amount. */
struct manifest_resource {
    char *name; /* value of the `resource` label */
    struct manifest_gauge in_use;
    struct manifest_gauge limit; /* source NONE: not given */
};

/* What is done about fatal signals. Without `panics` in the document: the defaults. */
struct manifest_panics {
    int *signals; /* numbers; default SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT; none: nothing is caught */
    size_t signal_count;
    unsigned backtrace_depth; /* frames; 1 to 64 */
    unsigned linger_seconds;  /* 0 to 30 */
    char *report_dir;         /* absolute path, or NULL: no reports */
    unsigned max_reports;     /* kept in report_dir; at least 1; default 20 */
    unsigned max_recoveries;  /* default 5 */
    bool has_registers;       /* reports are served with registers and addresses, whoever asks */
};

struct manifest_web {
    char **hosts; /* further names that requests may give as their host, ended by NULL; NULL: none */
};

struct manifest {
    char *namespace_;
    struct manifest_label *labels; /* constant labels of every series, sorted by name */
    size_t label_count;
    char *listen;       /* as written; default "127.0.0.1:9464" */
    char **executables; /* globs; count 0: any */
    size_t executable_count;
    bool follow_exec;
    double overhead_budget; /* (0, 1]; 1: sampling never adapts */
    struct manifest_function *functions;
    size_t function_count;
    struct manifest_resource *resources;
    size_t resource_count;
    struct manifest_panics panics;
    char *state_dir; /* absolute path, or NULL */
    struct manifest_web web;
};

enum {
    MANIFEST_BYTES_MAX = 16 * 1024 * 1024, /* of one file; a longer one is an error */
};

/* Parses `length` bytes of JSON; `file` is its name for messages. On success the caller owns *ret_manifest
 * (manifest_destroy). -EINVAL: the document is not a manifest; the diag is one line `FILE:LINE:COLUMN: JSON.PATH: what,
 * and what was expected`. Never crashes, whatever the bytes. Context: startup. */
int manifest_parse(const char *text, size_t length, const char *file, struct manifest **ret_manifest,
                   struct diag *diag);

/* Reads and merges the files of a `:`-separated list, in order: functions and resources are appended, constant labels
 * and executables are united, `defaults` are for the functions of their own file, of other keys the last file that
 * gives them wins: `panics`, `state` and `web` whole. -errno of a file that cannot be read, else as manifest_parse.
 * Context: startup. */
int manifest_load(const char *paths, struct manifest **ret_manifest, struct diag *diag);

/* Checks an address as `listen` has it: host:port, [v6]:port, unix:/path or none. -EINVAL: the diag says what was
 * expected. Context: startup. */
int manifest_check_listen(const char *listen, struct diag *diag);

/* Says whether the text is a glob of fnmatch(3): it has `*`, `?`, a closed `[...]` or a `\`. An empty `[]`, as in
 * "operator[]", means itself. -EINVAL: a `[` that nothing closes, or a `\` at the end. Context: startup. */
int manifest_check_glob(const char *text, bool *ret_is_glob, struct diag *diag);

/* Takes NULL. */
void manifest_destroy(struct manifest *manifest);

/* The word that the manifest uses for a kind, such as "message_processor"; static. */
const char *manifest_kind_name(enum manifest_kind kind);

#endif
