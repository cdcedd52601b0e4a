/* Who the endpoint answers. Private to symbols/manifest/. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_WEB_H
#define CALLMETER_SYMBOLS_MANIFEST_WEB_H

#include <jansson.h>

struct json_path;
struct manifest_reader;
struct manifest_web;

/* Reads "web" in place of what *web was. Failures and context as in reader.h. */
int manifest_web_read(const struct manifest_reader *reader, const struct json_path *path, json_t *value,
                      struct manifest_web *web);

void manifest_web_finish(struct manifest_web *web);

#endif
