/* Names of functions, read from an object's file in a handler of fatal signals: by system calls into small buffers,
 * with every number in the file taken for what a stranger wrote. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_ELF_NAMES_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_ELF_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_NAME_BYTES = 1024, /* longer ones are cut */
};

/* What is looked for: an address as the file has it. Zeroed but for `address`. */
struct elf_name {
    uint64_t address;
    uint64_t start; /* of the function; private until it is found */
    uint64_t string;
    uint32_t rank; /* private */
    bool is_found;
    char text[ELF_NAME_BYTES]; /* "" if there is none */
};

/* Looks up `names` in the file at `path`, if that has the build id (of a file without one, "": the first bytes of
 * `image`, 64 of them, must be those of the file), or in its debug file under /usr/lib/debug. The names are those of
 * .symtab, of .dynsym where there is none. Gives up at the deadline (CLOCK_MONOTONIC), then some are not found.
 * Context: signal, one thread at a time. */
void elf_names_find(const char *path, const char *build_id, const void *image, struct elf_name **names, size_t count,
                    uint64_t deadline_ns);

#endif
