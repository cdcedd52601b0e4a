/* Where functions begin and end, as .eh_frame has it: the one list of them that stripping leaves. Private to
 * symbols/elf/. */
#ifndef CALLMETER_SYMBOLS_ELF_FRAMES_H
#define CALLMETER_SYMBOLS_ELF_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct image;

/* Code that unwinds by one description: a function, or the part of one that was moved elsewhere. */
struct frame {
    uint64_t address;
    uint64_t bytes;
};

/* Sorted by address. Embedded by the caller; zeroed, it is empty. */
struct frames {
    struct frame *list;
    size_t count;
    size_t capacity;
};

/* Reads all descriptions of an object (Linux Standard Base, Core, 10.6 "Exception Frames"). What is damaged is left
 * out. -ENOMEM only. Context: startup. */
int frames_read(struct frames *frames, const struct image *image);

/* The frame that an address is in, or NULL. */
const struct frame *frames_find(const struct frames *frames, uint64_t address);

void frames_finish(struct frames *frames);

#endif
