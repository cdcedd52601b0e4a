/* Reads one entry of `functions`. Private to manifest_read.c. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_FUNCTION_H
#define CALLMETER_SYMBOLS_MANIFEST_FUNCTION_H

#include <jansson.h>

struct json_path;
struct manifest_function;
struct manifest_reader;

/* Fills a zeroed function but for its line. Whatever it returns, manifest_function_finish has to be called. Failures as
 * in manifest_reader.h. */
int manifest_function_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           struct manifest_function *function);

/* Frees what the function holds. */
void manifest_function_finish(struct manifest_function *function);

#endif
