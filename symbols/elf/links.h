/* What ties an object's data to code: words that hold addresses in it, and slots that the loader fills. Private to
 * symbols/elf/. */
#ifndef CALLMETER_SYMBOLS_ELF_LINKS_H
#define CALLMETER_SYMBOLS_ELF_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/plan/plan.h"

struct image;

/* Embedded by the caller; zeroed, it is empty. Both lists are sorted by place. Names point into the image. */
struct links {
    bool is_fixed; /* see plan_object */
    uint64_t code_start;
    uint64_t code_end;
    struct plan_pointer *pointers;
    size_t pointer_count;
    size_t pointer_capacity;
    struct plan_import *imports; /* those that plan_is_special means */
    size_t import_count;
    size_t import_capacity;
};

/* Reads the relocations of an object whose code lies between two addresses (System V ABI, AMD64, 4.4 "Relocation";
 * DT_RELR of the generic ABI), and, if it is linked to one address, all its data. What is damaged is passed over.
 * -ENOMEM only; the caller finishes the links in any case. Context: startup. */
int links_read(struct links *links, const struct image *image, uint64_t code_start, uint64_t code_end);

void links_finish(struct links *links);

#endif
