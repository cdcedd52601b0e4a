/* Reads one entry of `functions`. Private to symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_FUNCTION_H
#define CALLMETER_SYMBOLS_MANIFEST_FUNCTION_H

#include <jansson.h>
#include <stddef.h>

struct json_path;
struct manifest_function;
struct manifest_reader;

/* What functions of one document have that say nothing themselves. */
struct manifest_defaults {
    double *buckets; /* NULL: those of the kind; owned */
    size_t bucket_count;
    double sample_rate;
    size_t max_label_values;
};

/* Fills a zeroed function but for its line. Whatever it returns, manifest_function_finish has to be called. Failures as
 * in reader.h. */
int manifest_function_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                           const struct manifest_defaults *defaults, struct manifest_function *function);

/* Frees what the function holds. */
void manifest_function_finish(struct manifest_function *function);

#endif
