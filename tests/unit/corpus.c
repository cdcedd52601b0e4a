/* The documents under tests/manifests. */
#include "corpus.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *pointer, const char *what)
{
    if (!pointer) {
        perror(what);
        exit(2);
    }
    return pointer;
}

static void read_file(struct corpus_file *file, const char *folder, const char *name)
{
    char path[4096];
    FILE *stream;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    stream = check(fopen(path, "rb"), path);
    (void)fseek(stream, 0, SEEK_END);
    file->length = (size_t)ftell(stream);
    rewind(stream);
    file->name = check(strdup(name), "strdup");
    file->text = check(calloc(file->length + 1, 1), "calloc");
    if (fread(file->text, 1, file->length, stream) != file->length)
        check(NULL, path);
    (void)fclose(stream);
}

static bool ends_in(const char *name, const char *suffix)
{
    const size_t length = strlen(name);
    const size_t suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

void corpus_read(struct corpus *corpus, const char *folder, const char *subfolder, const char *suffix)
{
    struct dirent **entries;
    char path[2048];
    int count;

    (void)snprintf(path, sizeof path, "%s/%s", folder, subfolder);
    count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        exit(2);
    }
    *corpus = (struct corpus){.files = check(calloc((size_t)count, sizeof *corpus->files), "calloc")};
    for (int i = 0; i < count; i++) {
        if (ends_in(entries[i]->d_name, suffix))
            read_file(&corpus->files[corpus->count++], path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (corpus->count == 0) {
        (void)fprintf(stderr, "%s: no documents\n", path);
        exit(2);
    }
}

const struct corpus_file *corpus_find(const struct corpus *corpus, const char *name)
{
    for (size_t i = 0; i < corpus->count; i++)
        if (strcmp(corpus->files[i].name, name) == 0)
            return &corpus->files[i];
    return NULL;
}

void corpus_finish(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        free(corpus->files[i].name);
        free(corpus->files[i].text);
    }
    free(corpus->files);
}
