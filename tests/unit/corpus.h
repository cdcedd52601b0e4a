/* The documents under tests/manifests, for tests that run over all of them. */
#ifndef CALLMETER_TESTS_CORPUS_H
#define CALLMETER_TESTS_CORPUS_H

#include <stddef.h>

struct corpus_file {
    char *name; /* base name */
    char *text; /* NUL-terminated, for texts that have none inside */
    size_t length;
};

struct corpus {
    struct corpus_file *files; /* sorted by name */
    size_t count;
};

/* Reads all files that end in `suffix` in a folder. Ends the test program if there are none. */
void corpus_read(struct corpus *corpus, const char *folder, const char *subfolder, const char *suffix);

/* The file of that name, or NULL. */
const struct corpus_file *corpus_find(const struct corpus *corpus, const char *name);

void corpus_finish(struct corpus *corpus);

#endif
