/* An ELF file mapped for reading, and its sections: what objects and their debug files have in common. */
#ifndef CALLMETER_SYMBOLS_ELF_IMAGE_H
#define CALLMETER_SYMBOLS_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gelf.h>

struct diag;

enum {
    IMAGE_BUILD_ID_BYTES_MAX = 64, /* of one that is believed */
};

/* Embedded by the caller; zeroed, it may be finished. */
struct image {
    const uint8_t *bytes;
    size_t length;
    Elf *elf;
    char *path; /* that was opened */
};

/* Maps `path`: an x86-64 program or library, or the debug file of one. -ENOEXEC: it is none, the diag says why; -errno
 * of open(2) or mmap(2). Never waits (a FIFO is refused). Context: startup. */
int image_init(struct image *image, const char *path, struct diag *diag);

/* The same for the file in which dwz gathered what several debug files share: an ELF file of any type. */
int image_init_shared(struct image *image, const char *path, struct diag *diag);

/* Lets libelf replace compressed sections by what they hold, which it marks in the mapped headers: they become private
 * copies. -errno. */
int image_allow_inflation(struct image *image);

void image_finish(struct image *image);

/* The first section of that type, or of that name; NULL if there is none. */
Elf_Scn *image_section_by_type(const struct image *image, uint32_t type, GElf_Shdr *ret_header);
Elf_Scn *image_section_by_name(const struct image *image, const char *name, GElf_Shdr *ret_header);

/* The build id in lower-case hexadecimal; the caller frees it. NULL: none, or out of memory. */
char *image_build_id(const struct image *image);

/* Writes the bytes of a build id in lower-case hexadecimal, 2 * length + 1 bytes. */
void image_spell_build_id(const void *id, size_t length, char *text);

/* Writes where under /usr/lib/debug a debug file is by its build id (more than one byte, in hexadecimal), cut where the
 * room ends. */
void image_debug_path(const char *build_id, char *path, size_t bytes);

/* The name and checksum of .gnu_debuglink. The name points into the image. false: there is none. */
bool image_debug_link(const struct image *image, const char **ret_name, uint32_t *ret_checksum);

/* Finds the debug file of an object and maps it: by build id under /usr/lib/debug, else by .gnu_debuglink beside the
 * object, in .debug/ and under /usr/lib/debug. A file of another build is passed over. -ENOENT: there is none. */
int image_init_debug(struct image *image, const struct image *object, const char *object_path, const char *build_id);

#endif
