/* The manifest: what the user asked for, read from JSON and checked, before any program is looked at. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_H
#define CALLMETER_SYMBOLS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/condition.h"

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

/* A constant label; both strings are valid UTF-8. */
struct manifest_label {
    char *name;
    char *value;
};

/* One entry of `functions`. Optional strings are NULL where the document has none.
 *
 * Globs are patterns of fnmatch(3) with no flags. C++ names hold their characters too: "operator*" is a glob here, and
 * a glob that is a symbol's very name means that symbol, so whoever resolves it tries the exact name first. */
struct manifest_function {
    char *symbol; /* exact name or glob */
    bool is_glob;
    char *object; /* glob without a slash, or NULL */
    char *name;   /* value of the `function` label, or NULL: the symbol found */
    enum manifest_kind kind;
    struct manifest_label *labels; /* sorted by name */
    size_t label_count;
    enum value_type returns;
    struct condition error_when;
    struct condition throttled_when;
    double *buckets; /* seconds, strictly ascending, finite; the defaults already applied */
    size_t bucket_count;
    enum manifest_mode mode;
    bool is_optional;
    int line; /* where the entry begins in its file, from 1 */
};

struct manifest {
    char *namespace_;
    struct manifest_label *labels; /* constant labels of every series, sorted by name */
    size_t label_count;
    char *listen;       /* as written; default "127.0.0.1:9464" */
    char **executables; /* globs; count 0: any */
    size_t executable_count;
    bool follow_exec;
    struct manifest_function *functions;
    size_t function_count;
};

enum {
    MANIFEST_BYTES_MAX = 16 * 1024 * 1024, /* of one file; a longer one is an error */
};

/* Parses `length` bytes of JSON; `file` is its name for messages. On success the caller owns *ret_manifest
 * (manifest_destroy). -EINVAL: the document is not a manifest; the diag is one line `FILE:LINE:COLUMN: JSON.PATH: what,
 * and what was expected`. Never crashes, whatever the bytes. Context: startup. */
int manifest_parse(const char *text, size_t length, const char *file, struct manifest **ret_manifest,
                   struct diag *diag);

/* Reads and merges the files of a `:`-separated list, in order: functions are appended, other keys that a later file
 * gives win, constant labels are united. -errno of a file that cannot be read, else as manifest_parse. Context:
 * startup. */
int manifest_load(const char *paths, struct manifest **ret_manifest, struct diag *diag);

/* Checks an address as `listen` has it: host:port, [v6]:port, unix:/path or none. -EINVAL: the diag says what was
 * expected. Context: startup. */
int manifest_check_listen(const char *listen, struct diag *diag);

/* Takes NULL. */
void manifest_destroy(struct manifest *manifest);

/* The word that the manifest uses for a kind, such as "message_processor"; static. */
const char *manifest_kind_name(enum manifest_kind kind);

#endif
