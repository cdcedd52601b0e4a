/* image_init_debug: which of the files that may be an object's debug file is taken, and which are passed over. What is
 * under /usr/lib/debug lies in a folder of the test. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "symbols/common/diag.h"
#include "symbols/elf/image.h"

#define ROOT "/usr/lib/debug"

static char folder[] = "/tmp/test_debug_file.XXXXXX";

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open64(const char *path, int flags, ...)
{
    char moved[512];

    if (strncmp(path, ROOT, strlen(ROOT)) == 0)
        snprintf(moved, sizeof(moved), "%s/root%s", folder, path + strlen(ROOT));
    else
        snprintf(moved, sizeof(moved), "%s", path);
    return __real_open64(moved, flags);
}

/* Where a debug file may be, in the order in which they are tried. */
enum place {
    PLACE_BUILD_ID,
    PLACE_BESIDE,
    PLACE_HIDDEN,
    PLACE_ROOT,
    PLACE_COUNT,
    PLACE_NONE = PLACE_COUNT,
};

/* What is there. */
enum content {
    NOTHING,
    SAME,  /* the object's own build id */
    OTHER, /* another build id */
    NO_ID,
    DAMAGED, /* no ELF file */
};

static const char *place_path(enum place place, const char *build_id, char *path, size_t bytes)
{
    switch (place) {
    case PLACE_BUILD_ID:
        snprintf(path, bytes, ROOT "/.build-id/%.2s/%s.debug", build_id ? build_id : "xx",
                 build_id ? build_id + 2 : "");
        break;
    case PLACE_BESIDE:
        snprintf(path, bytes, "%s/o.debug", folder);
        break;
    case PLACE_HIDDEN:
        snprintf(path, bytes, "%s/.debug/o.debug", folder);
        break;
    default:
        snprintf(path, bytes, ROOT "%s/o.debug", folder);
    }
    return path;
}

/* Makes the folders that `path` is in. */
static void make_folders(const char *path)
{
    char part[512];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
        mkdir(part, 0700);
    }
}

static void put_build_id(struct pen *pen, uint32_t id)
{
    pen_put(pen, 4, 4);
    pen_put(pen, sizeof(id), 4);
    pen_put(pen, NT_GNU_BUILD_ID, 4);
    pen_put_bytes(pen, "GNU", 4);
    pen_put(pen, id, sizeof(id));
}

static void write_file(const char *path, enum content content)
{
    struct pen pen = {.length = 0};
    struct elf_builder_section section = {".note", SHT_NOTE, 0, 0, pen.bytes, 0, 0, 0, 0};
    struct elf_builder builder = {.sections = &section, .section_count = content == NO_ID ? 0 : 1};
    char moved[512];
    char made[520];

    snprintf(moved, sizeof(moved), "%s%s%s", strncmp(path, ROOT, strlen(ROOT)) == 0 ? folder : "",
             strncmp(path, ROOT, strlen(ROOT)) == 0 ? "/root" : "",
             strncmp(path, ROOT, strlen(ROOT)) == 0 ? path + strlen(ROOT) : path);
    make_folders(moved);
    snprintf(made, sizeof(made), "%s.XXXXXX", moved);
    put_build_id(&pen, content == OTHER ? 0x11223344 : 0xDDCCBBAA);
    section.length = pen.length;
    builder.length = content == DAMAGED ? 7 : 0;
    elf_builder_write(&builder, made);
    assert_int_equal(rename(made, moved), 0);
}

/* The checksum of a debug link, bit by bit. */
static uint32_t checksum_of(const char *path)
{
    FILE *stream = fopen(path, "rb");
    uint32_t crc = UINT32_MAX;
    int byte;

    assert_non_null(stream);
    while ((byte = fgetc(stream)) != EOF) {
        crc ^= (uint32_t)byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    fclose(stream);
    return ~crc;
}

/* Opens an object with a debug link, and looks for its debug file: where one was found. */
static enum place find(const char *build_id, bool has_link, uint32_t checksum)
{
    struct pen pen = {.length = 0};
    const struct elf_builder_section section = {
        has_link ? ".gnu_debuglink" : ".other", SHT_PROGBITS, 0, 0, pen.bytes, 12, 0, 0, 0};
    const struct elf_builder builder = {.sections = &section, .section_count = 1};
    char path[64];
    struct image object;
    struct image debug;
    struct diag diag = {0};
    enum place place = PLACE_NONE;

    pen_put_bytes(&pen, "o.debug", 8);
    pen_put(&pen, checksum, 4);
    snprintf(path, sizeof(path), "%s/o.XXXXXX", folder);
    elf_builder_write(&builder, path);
    assert_int_equal(image_init(&object, path, &diag), 0);
    if (image_init_debug(&debug, &object, path, build_id) == 0) {
        char expected[512];

        for (place = 0; place < PLACE_COUNT; place++)
            if (strcmp(debug.path, place_path(place, build_id, expected, sizeof(expected))) == 0)
                break;
        assert_int_not_equal(place, PLACE_NONE);
    } else {
        assert_null(debug.bytes);
    }
    image_finish(&debug);
    image_finish(&object);
    unlink(path);
    return place;
}

static void remove_all(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s/* %s/.debug", folder, folder);
    assert_int_equal(system(command), 0);
}

static void takes_the_first_that_agrees(void **state)
{
    static const struct {
        const char *build_id;
        bool has_link;
        enum content contents[PLACE_COUNT];
        enum place expected;
    } cases[] = {
        {"aabbccdd", true, {SAME, SAME, SAME, SAME}, PLACE_BUILD_ID},
        {"aabbccdd", false, {SAME, SAME, SAME, SAME}, PLACE_BUILD_ID},
        {"aabbccdd", true, {NOTHING, SAME, SAME, SAME}, PLACE_BESIDE},
        {"aabbccdd", true, {OTHER, SAME, SAME, SAME}, PLACE_BESIDE},
        {"aabbccdd", true, {NO_ID, NOTHING, SAME, SAME}, PLACE_HIDDEN},
        {"aabbccdd", true, {DAMAGED, DAMAGED, SAME, SAME}, PLACE_HIDDEN},
        {"aabbccdd", true, {OTHER, OTHER, OTHER, SAME}, PLACE_ROOT},
        {"aabbccdd", true, {OTHER, OTHER, NO_ID, NOTHING}, PLACE_NONE},
        {"aabbccdd", true, {NO_ID, NO_ID, NO_ID, NO_ID}, PLACE_NONE},
        {"aabbccdd", false, {NOTHING, SAME, SAME, SAME}, PLACE_NONE},
        {"aabbccde", true, {SAME, SAME, SAME, SAME}, PLACE_NONE},
        {"aa", true, {NOTHING, SAME, SAME, SAME}, PLACE_NONE},
        {NULL, false, {NOTHING, NO_ID, NO_ID, NO_ID}, PLACE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        enum place found;

        for (enum place place = 0; place < PLACE_COUNT; place++) {
            char path[512];

            if (cases[i].contents[place] != NOTHING)
                write_file(place_path(place, cases[i].build_id, path, sizeof(path)), cases[i].contents[place]);
        }
        found = find(cases[i].build_id, cases[i].has_link, 0);
        if (found != cases[i].expected)
            fail_msg("case %zu: %d", i, found);
        remove_all();
    }
}

/* Without a build id nothing but the bytes themselves tells. */
static void compares_checksums_where_there_is_no_build_id(void **state)
{
    static const struct {
        enum content contents[PLACE_COUNT];
        enum content checksum; /* of what */
        enum place expected;
    } cases[] = {
        {{NOTHING, NO_ID, NO_ID, NO_ID}, NO_ID, PLACE_BESIDE}, {{NOTHING, SAME, NO_ID, NO_ID}, NO_ID, PLACE_HIDDEN},
        {{NOTHING, SAME, OTHER, NO_ID}, NO_ID, PLACE_ROOT},    {{NOTHING, SAME, OTHER, SAME}, NO_ID, PLACE_NONE},
        {{NOTHING, NO_ID, SAME, NO_ID}, SAME, PLACE_HIDDEN},
    };
    char path[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint32_t checksum;
        enum place found;

        snprintf(path, sizeof(path), "%s/sample", folder);
        write_file(path, cases[i].checksum);
        checksum = checksum_of(path);
        for (enum place place = PLACE_BESIDE; place < PLACE_COUNT; place++)
            if (cases[i].contents[place] != NOTHING)
                write_file(place_path(place, NULL, path, sizeof(path)), cases[i].contents[place]);
        found = find(NULL, true, checksum);
        if (found != cases[i].expected)
            fail_msg("case %zu: %d", i, found);
        assert_int_equal(find(NULL, true, checksum ^ 0x80000000), PLACE_NONE);
        assert_int_equal(find(NULL, true, checksum + 1), PLACE_NONE);
        remove_all();
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    remove_all();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_first_that_agrees),
        cmocka_unit_test(compares_checksums_where_there_is_no_build_id),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
