/* Reads single values of a JSON document, with errors that say where. Private to symbols/manifest/. Context: startup.
 *
 * Failures are -EINVAL, with `FILE:LINE:COLUMN: JSON.PATH: what, and what was expected` in the diag, or -ENOMEM. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_READER_H
#define CALLMETER_SYMBOLS_MANIFEST_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/manifest/json_text.h"

struct diag;

/* The document. `text` has been parsed, and holds no NUL. */
struct manifest_reader {
    const char *text;
    size_t length;
    const char *file;
    struct diag *diag;
};

/* A key that an object may have. */
struct manifest_key {
    const char *name;
    bool is_supported; /* false: the contract has it, this version does not */
};

/* A word that stands for a value. */
struct manifest_word {
    const char *word;
    int value;
};

/* Each returns -EINVAL and places the message at the value, at the key, or at a byte of the file. */
int manifest_reader_fail(const struct manifest_reader *reader, const struct json_path *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int manifest_reader_fail_key(const struct manifest_reader *reader, const struct json_path *path, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));
int manifest_reader_fail_byte(const struct manifest_reader *reader, const char *path, size_t offset, const char *format,
                              ...) __attribute__((format(printf, 4, 5)));

int manifest_reader_fail_memory(const struct manifest_reader *reader);

/* "expected `expected`, found a string" and so on. */
int manifest_reader_fail_type(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              const char *expected);

/* Places what the diag says of a string's text at its byte `index`. */
int manifest_reader_fail_inside(const struct manifest_reader *reader, const struct json_path *path, size_t index);

/* Checks that the value is an object with these keys only; `keys` ends with a NULL name. */
int manifest_reader_check_keys(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                               const struct manifest_key *keys);

/* A string that is not empty; borrowed from the value. */
int manifest_reader_string(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                           const char **ret_string);

/* The same in memory of its own, in place of what *string was. */
int manifest_reader_copy(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         char **string);

int manifest_reader_bool(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         bool *ret_bool);

/* One of `words`, whose table ends with NULL; `what` names their kind. */
int manifest_reader_word(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         const char *what, const struct manifest_word *words, int *ret_value);

/* A glob that is not empty, in place of what *string was. ret_is_glob may be NULL. */
int manifest_reader_glob(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                         char **string, bool *ret_is_glob);

/* A glob for objects, which has no slash, in place of what *string was. */
int manifest_reader_object(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                           char **string);

/* A whole number from `low` to `high`, of which neither is beyond INT64_MAX. */
int manifest_reader_whole(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          size_t low, size_t high, size_t *ret_number);

/* A whole number from 1 to `high`. */
int manifest_reader_count(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          size_t high, size_t *ret_count);

/* An absolute path that leaves room for names of files behind it, in place of what *string was. */
int manifest_reader_directory(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                              char **string);

/* A number in (0, 1]. */
int manifest_reader_share(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                          double *ret_share);

/* A string such as "0x4711". */
int manifest_reader_hex(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                        uint64_t *ret_number);

/* Upper bounds; on success *ret_buckets is the caller's to free, and not NULL even if there are none. */
int manifest_reader_buckets(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                            double **ret_buckets, size_t *ret_count);

#endif
