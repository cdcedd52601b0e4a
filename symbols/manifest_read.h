/* Reads one JSON document into a manifest that is being made. Private to manifest.c. Context: startup. */
#ifndef CALLMETER_SYMBOLS_MANIFEST_READ_H
#define CALLMETER_SYMBOLS_MANIFEST_READ_H

#include <stddef.h>

struct diag;
struct manifest;

/* A manifest of which more documents may come. Zeroed but for the manifest. */
struct manifest_draft {
    struct manifest *manifest; /* strings that no document gave are NULL, as are the buckets of such functions */
    double *default_buckets;   /* the last document's that gave them, or NULL; owned */
    size_t default_bucket_count;
};

/* Adds a document: its functions come behind those there, its constant labels join them, its other keys replace. The
 * draft is not to be used further if this fails: -EINVAL (the diag as manifest_parse has it) or -ENOMEM. */
int manifest_read_document(struct manifest_draft *draft, const char *text, size_t length, const char *file,
                           struct diag *diag);

#endif
