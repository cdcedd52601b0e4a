/* Reads what is to be done about fatal signals: `panics`, and `recover` of a function. Private to symbols/manifest/.
 * Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_PANICS_H
#define CALLMETER_SYMBOLS_MANIFEST_PANICS_H

#include <jansson.h>

struct json_path;
struct manifest_function;
struct manifest_panics;
struct manifest_reader;

/* Fills in the defaults. -ENOMEM; manifest_panics_finish has to be called in any case. */
int manifest_panics_init(struct manifest_panics *panics);

/* Replaces all of *panics: what the object does not give is the default, whatever was there. Failures as in
 * reader.h. */
int manifest_panics_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                         struct manifest_panics *panics);

/* Frees what the struct holds. */
void manifest_panics_finish(struct manifest_panics *panics);

/* Reads `recover` of a function whose `returns` is known. */
int manifest_panics_read_recover(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                                 struct manifest_function *function);

#endif
