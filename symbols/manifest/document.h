/* Reads one JSON document into a manifest that is being made. Private to symbols/manifest/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_DOCUMENT_H
#define CALLMETER_SYMBOLS_MANIFEST_DOCUMENT_H

#include <stddef.h>

struct diag;
struct manifest;

/* Adds a document to a manifest of which more may come: its functions and resources come behind those there, its
 * constant labels join them, its other keys replace; its defaults are for its own functions. Strings that no document
 * gave are NULL. The manifest is only to be destroyed if this fails: -EINVAL (the diag as manifest_parse has it) or
 * -ENOMEM. */
int manifest_read_document(struct manifest *manifest, const char *text, size_t length, const char *file,
                           struct diag *diag);

#endif
