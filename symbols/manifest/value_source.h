/* Reads where a value of a call comes from: `{"arg": 2, "type": "cstring"}` and its like. Private to symbols/manifest/.
 * Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_VALUE_SOURCE_H
#define CALLMETER_SYMBOLS_MANIFEST_VALUE_SOURCE_H

#include <jansson.h>

#include "symbols/manifest/manifest.h"

struct json_path;
struct manifest_reader;

/* Sets of types. */
enum {
    MANIFEST_TYPES_WHOLE = 1 << VALUE_INT32 | 1 << VALUE_UINT32 | 1 << VALUE_INT64 | 1 << VALUE_UINT64,
    MANIFEST_TYPES_FLOATING = 1 << VALUE_FLOAT | 1 << VALUE_DOUBLE,
    MANIFEST_TYPES_SCALAR = MANIFEST_TYPES_WHOLE | MANIFEST_TYPES_FLOATING | 1 << VALUE_BOOL | 1 << VALUE_POINTER,
    MANIFEST_TYPES_RESULT = MANIFEST_TYPES_SCALAR | 1 << VALUE_VOID,
    MANIFEST_TYPES_ALL = MANIFEST_TYPES_SCALAR | 1 << VALUE_CSTRING,
};

/* What a value is for. */
struct manifest_value_use {
    const char *what;        /* for messages: "items are whole numbers" */
    unsigned types;          /* the types it may have */
    enum value_type returns; /* what the function returns */
};

/* Reads the keys `arg`, `farg`, `ret`, `param`, `field` and `type` of an object whose keys have been checked. The type
 * of a result is set in any case. Whatever it returns, manifest_value_finish has to be called. Failures as in
 * reader.h. */
int manifest_value_read(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                        const struct manifest_value_use *use, struct manifest_value *value);

/* Frees what the value holds. */
void manifest_value_finish(struct manifest_value *value);

/* Reads the name of one of `types`. */
int manifest_value_read_type(const struct manifest_reader *reader, const struct json_path *path, const json_t *value,
                             unsigned types, enum value_type *ret_type);

/* The type that an object gives for the result (`{"ret": true, "type": T}`), or VALUE_VOID if it gives none. The object
 * need not have been checked. */
enum value_type manifest_value_result_type(const json_t *object);

/* The first of `names` (ends with NULL) that the object has, as an index. -EINVAL: it has none or two of them; the diag
 * says so at the object or at the second. */
int manifest_value_choose(const struct manifest_reader *reader, const struct json_path *path, const json_t *object,
                          const char *const *names, size_t *ret_index);

#endif
