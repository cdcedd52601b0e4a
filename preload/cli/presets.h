/* The shipped manifests: one file each in the presets' folder. A file that a site adds there is one of them. */
#ifndef CALLMETER_PRELOAD_CLI_PRESETS_H
#define CALLMETER_PRELOAD_CLI_PRESETS_H

#include <stdbool.h>
#include <stddef.h>

struct preset {
    char *name;
    char *path;        /* absolute; whoever takes it sets NULL */
    const char *shows; /* one line, or NULL: not one of ours */
    bool is_general;   /* it is about libc, and so fits every program */
    bool is_fallback;  /* of the general ones: what `-p auto` takes when nothing else fits */
};

/* In the order of their names. Embedded by the caller; zeroed, it may be finished. */
struct presets {
    struct preset *presets;
    size_t count;
};

/* Lists them. Returns 0, or the exit code that the command line owes; a line has then gone to stderr. */
int presets_init(struct presets *presets);

void presets_finish(struct presets *presets);

#endif
