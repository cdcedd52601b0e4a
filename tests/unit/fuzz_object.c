/* symbols/elf/object.h and variable.h against damaged files: bytes of real objects are changed, and nothing may crash,
 * hang or read out of bounds (run it under ASan). Arguments: rounds, then the objects. The seed is fixed: a failure can
 * be repeated. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/elf/variable.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static uint8_t *read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);

    if (!file || !bytes) {
        perror(path);
        exit(2);
    }
    *ret_length = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* Values that lie on the edges of what a reader may have forgotten. */
static uint64_t random_value(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     0x7f,
                                     0xff,
                                     0x7fff,
                                     0xffff,
                                     0x7fffffff,
                                     0xffffffff,
                                     UINT64_C(0x7fffffffffffffff),
                                     UINT64_C(0xfffffffffffffff0),
                                     UINT64_C(0xffffffffffffffff)};

    return random_below(2) ? edges[random_below(sizeof(edges) / sizeof(*edges))] : random_below(UINT64_MAX);
}

/* Half of the changes go where the headers are: the first 1 KiB, and the section headers at the end. */
static void damage(uint8_t *bytes, size_t length)
{
    for (uint64_t n = 1 + random_below(6); n > 0; n--) {
        static const size_t widths[] = {1, 2, 4, 8};
        size_t width = widths[random_below(4)];
        uint64_t value = random_value();
        uint64_t place = random_below(4);
        size_t at = place == 0   ? random_below(1024)
                    : place == 1 ? length - 1 - random_below(length < 3072 ? length : 3072)
                                 : random_below(length);

        if (at + width <= length)
            memcpy(bytes + at, &value, width);
    }
}

static void use_variables(struct object *object)
{
    static char *const names[] = {"variables_pool", "variables_untyped", "variables_thread", "variables_twice",
                                  "ns::pool",       "shapes_sink",       "nowhere"};
    struct variable_search *search = NULL;

    if (variable_search_create(&object, 1, &search) < 0)
        abort();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct variable_query query = {.name = names[i], .offset = 8, .type = VALUE_UINT64};
        struct variable variable;
        struct diag diag = {0};

        if (variable_find(search, &query, &variable, &diag) == 0 ? variable.object != object : diag.text[0] == '\0')
            abort();
    }
    variable_search_destroy(search);
}

static void use_object(const struct object *object, const struct manifest *manifest)
{
    static const struct resolve_options options = {0};
    struct resolution resolution = {0};
    struct diag diag = {0};
    struct object *objects[] = {(struct object *)(uintptr_t)object};
    size_t bytes = 0;

    for (size_t i = 0; i < object->symbol_count; i++) {
        const struct symbol *symbol = &object->symbols[i];
        const uint8_t *code = object_code(object, symbol->address, &bytes);
        volatile uint8_t sink;

        if (!code || strlen(symbol->name) == 0)
            abort();
        sink = code[0];
        sink = code[bytes - 1];
        (void)sink;
        if (object_room(object, symbol->address) > bytes)
            abort();
        object_symbol_demangled(object, symbol);
    }
    if (resolve_manifest(manifest, objects, 1, &options, &resolution, &diag) == 0)
        resolution_finish(&resolution);
    use_variables(objects[0]);
}

static void fuzz_round(int fd, const uint8_t *bytes, size_t length, const struct manifest *manifest)
{
    uint8_t *damaged = malloc(length);
    size_t kept = random_below(16) == 0 ? random_below(length) : length;
    struct object *object;
    struct diag diag = {0};
    char path[64];

    if (!damaged)
        abort();
    memcpy(damaged, bytes, length);
    damage(damaged, length);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, damaged, kept, 0) != (ssize_t)kept)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (object_open(path, 0, true, &object, &diag) == 0) {
        use_object(object, manifest);
        object_close(object);
    } else if (diag.text[0] == '\0') {
        abort();
    }
    free(damaged);
}

int main(int argc, char **argv)
{
    static const char text[] =
        "{\"version\": 1, \"functions\": [{\"symbol\": \"*\"}, {\"symbol\": \"ns::Worker::run\"}, "
        "{\"symbol\": \"split\"}, {\"symbol\": \"f(char*)\"}]}";
    struct manifest *manifest = NULL;
    struct diag diag = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (argc < 3 || fd < 0 || manifest_parse(text, strlen(text), "fuzz", &manifest, &diag) < 0) {
        fprintf(stderr, "usage: %s ROUNDS OBJECT...\n%s\n", argv[0], diag.text);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        size_t length;
        uint8_t *bytes = read_file(argv[i], &length);

        for (long round = strtol(argv[1], NULL, 10); round > 0; round--)
            fuzz_round(fd, bytes, length, manifest);
        free(bytes);
    }
    manifest_destroy(manifest);
    close(fd);
    return 0;
}
