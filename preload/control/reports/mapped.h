/* Which object is mapped at an address: asked in a handler of fatal signals, where the loader may be in the middle of
 * its work and hold its lock. */
#ifndef CALLMETER_PRELOAD_CONTROL_REPORTS_MAPPED_H
#define CALLMETER_PRELOAD_CONTROL_REPORTS_MAPPED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAPPED_BUILD_ID_BYTES = 129, /* in hexadecimal digits, with the NUL: of longer ones the beginning */
};

struct mapped {
    uintptr_t start;
    uintptr_t end;
    uintptr_t bias;         /* address - bias is the file's virtual address */
    uintptr_t eh_frame_hdr; /* 0: none */
    uintptr_t name;         /* of the object, a string of the loader's; 0: of the program itself */
};

/* Keeps the list of objects for a libc that cannot be asked in a handler (before 2.35); what is loaded later is not
 * known then. Context: startup. */
void mapped_init(void);

/* false: there is nothing of a file there that the loader knows. Context: signal. */
bool mapped_find(uintptr_t address, struct mapped *ret_mapped);

/* Path as the loader knows it, or that of the program. Context: signal. */
void mapped_path(const struct mapped *mapped, const char *program, char path[PATH_MAX]);

/* The build id that the object in memory has; "" if none. Context: signal. */
void mapped_build_id(const struct mapped *mapped, char build_id[MAPPED_BUILD_ID_BYTES]);

/* Finds the build id in notes of `bytes` bytes. true: it is in `build_id`. Context: any. */
bool mapped_note_build_id(const uint8_t *notes, size_t bytes, char build_id[MAPPED_BUILD_ID_BYTES]);

#endif
