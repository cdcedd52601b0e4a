/* symbols/debuginfo/debuginfo.h and symbols/elf/frames.h against damaged files: bytes of real objects' .debug_* and
 * .eh_frame sections are changed, and nothing may crash, hang or read out of bounds (run it under ASan). Arguments:
 * rounds, then the objects. The seed is fixed: a failure can be repeated. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/elf/image.h"
#include "symbols/elf/object.h"
#include "symbols/values/value.h"

enum {
    SECTIONS_MAX = 16,
    INLINED_MAX = 8,
};

/* A part of the file that is worth damaging. */
struct section {
    size_t offset;
    size_t length;
};

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static size_t find_sections(const char *path, struct section *sections)
{
    static const char *const names[] = {".debug_info",        ".debug_abbrev", ".debug_str",      ".debug_aranges",
                                        ".debug_rnglists",    ".debug_ranges", ".debug_line_str", ".debug_addr",
                                        ".debug_str_offsets", ".eh_frame"};
    struct image image;
    struct diag diag = {0};
    size_t count = 0;

    if (image_init(&image, path, &diag) < 0) {
        fprintf(stderr, "%s\n", diag.text);
        exit(2);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        GElf_Shdr header;

        if (image_section_by_name(&image, names[i], &header) && header.sh_size > 0)
            sections[count++] = (struct section){.offset = header.sh_offset, .length = header.sh_size};
    }
    image_finish(&image);
    return count;
}

static void damage(uint8_t *bytes, const struct section *sections, size_t section_count)
{
    for (uint64_t n = 1 + random_below(8); n > 0; n--) {
        static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
        /* half of the changes go to the first two: the tree of entries, and what their bytes mean */
        const struct section *section = &sections[random_below(random_below(2) ? 2 : section_count)];
        size_t at = section->offset + random_below(section->length);

        bytes[at] = random_below(2) ? edges[random_below(sizeof(edges))] : (uint8_t)random_below(256);
    }
}

static void ask(struct debuginfo *debuginfo, uint64_t address, const struct debuginfo_query *query)
{
    struct debuginfo_found found;
    struct diag diag = {0};
    char text[VALUE_TEXT_BYTES];

    if (debuginfo_locate(debuginfo, address, query, &found, &diag) < 0) {
        if (diag.text[0] == '\0')
            abort();
        return;
    }
    if (found.has_convention || found.evidence == DEBUGINFO_PLACED) {
        if (found.location.type == VALUE_VOID || found.location.bytes == 0 || found.location.bytes > 8 ||
            (found.location.place == VALUE_IN_VECTOR && found.location.number > 7))
            abort();
        value_text(&found.location, text);
    }
}

static void use_object(const struct object *object)
{
    static const char *const params[] = {"a", "i", "z"};
    struct debuginfo_inlined inlined[INLINED_MAX];
    struct debuginfo_function function;
    struct debuginfo *debuginfo;
    struct diag diag = {0};
    size_t count = 0;
    uint64_t start;
    uint64_t bytes;

    if (debuginfo_open(object, DEBUGINFO_ANY_SIZE, &debuginfo, &diag) < 0) {
        if (diag.text[0] == '\0')
            abort();
        return;
    }
    for (size_t i = 0; i < object->symbol_count; i++) {
        uint64_t address = object->symbols[i].address;

        for (size_t j = 0; j < sizeof(params) / sizeof(*params); j++)
            ask(debuginfo, address, &(struct debuginfo_query){.param = params[j]});
        ask(debuginfo, address, &(struct debuginfo_query){.param = "request", .field = "method"});
        ask(debuginfo, address, &(struct debuginfo_query){.param = "m", .field = "weight"});
        ask(debuginfo, address, &(struct debuginfo_query){.param = "o", .field = "inside"});
        ask(debuginfo, address, &(struct debuginfo_query){.param = "this", .field = "other_value"});
        for (unsigned n = 1; n < 16; n++)
            ask(debuginfo, address,
                &(struct debuginfo_query){
                    .number = n, .is_vector = n % 2, .type = n % 2 ? VALUE_DOUBLE : VALUE_UINT64});
        debuginfo_function(debuginfo, address, &function);
        if (count < INLINED_MAX)
            inlined[count++].address = address;
        object_frame(object, address, &start, &bytes);
    }
    debuginfo_is_all_gnu(debuginfo);
    debuginfo_count_inlined(debuginfo, DEBUGINFO_ANY_SIZE, inlined, count);
    debuginfo_close(debuginfo);
}

static void fuzz_file(const char *path, int fd, long rounds)
{
    struct section sections[SECTIONS_MAX];
    size_t section_count = find_sections(path, sections);
    uint8_t *bytes = malloc(1 << 20);
    uint8_t *damaged = malloc(1 << 20);
    FILE *file = fopen(path, "rb");
    size_t length;
    char copy[64];

    if (section_count < 2 || !bytes || !damaged || !file) {
        fprintf(stderr, "%s: no debug information, or not to be read\n", path);
        exit(2);
    }
    length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    snprintf(copy, sizeof(copy), "/proc/self/fd/%d", fd);
    for (; rounds > 0; rounds--) {
        struct object *object;
        struct diag diag = {0};

        memcpy(damaged, bytes, length);
        damage(damaged, sections, section_count);
        if (ftruncate(fd, 0) < 0 || pwrite(fd, damaged, length, 0) != (ssize_t)length)
            abort();
        if (object_open(copy, 0, true, &object, &diag) < 0)
            continue;
        use_object(object);
        object_close(object);
    }
    free(damaged);
    free(bytes);
}

int main(int argc, char **argv)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (argc < 3 || fd < 0) {
        fprintf(stderr, "usage: %s ROUNDS OBJECT...\n", argv[0]);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        fuzz_file(argv[i], fd, strtol(argv[1], NULL, 10));
    close(fd);
    return 0;
}
