/* What symbols/elf/ reads of files that no link editor made: the last entry of each table, the byte behind it, and
 * every form that an entry may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "symbols/common/diag.h"
#include "symbols/elf/image.h"
#include "symbols/elf/object.h"
#include "symbols/elf/symtab.h"

#define TEMPLATE "/tmp/test_elf.XXXXXX"

static void open_image(const struct elf_builder *builder, struct image *image)
{
    char path[] = TEMPLATE;
    struct diag diag = {0};
    int result;

    elf_builder_write(builder, path);
    result = image_init(image, path, &diag);
    unlink(path);
    if (result < 0)
        fail_msg("%s", diag.text);
}

static void open_section(const struct elf_builder_section *section, struct image *image)
{
    const struct elf_builder builder = {.sections = section, .section_count = 1};

    open_image(&builder, image);
}

static struct object *open_object(const struct elf_builder *builder)
{
    char path[] = TEMPLATE;
    struct diag diag = {0};
    struct object *object = NULL;
    int result;

    elf_builder_write(builder, path);
    result = object_open(path, 0, false, &object, &diag);
    unlink(path);
    if (result < 0)
        fail_msg("%s", diag.text);
    return object;
}

static void a_header_is_the_least(void **state)
{
    static const struct {
        size_t length;
        int result;
    } cases[] = {{sizeof(Elf64_Ehdr) - 1, -1}, {sizeof(Elf64_Ehdr), 0}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct elf_builder builder = {.length = cases[i].length};
        char path[] = TEMPLATE;
        struct image image;
        struct diag diag = {0};

        elf_builder_write(&builder, path);
        assert_int_equal(image_init(&image, path, &diag) < 0 ? -1 : 0, cases[i].result);
        unlink(path);
        if (cases[i].result == 0)
            image_finish(&image);
        else
            assert_non_null(strstr(diag.text, ": not an ELF file"));
    }
}

/* A note of any size, padded to 4 bytes. */
static void put_note(struct pen *pen, const char *name, uint32_t type, size_t value_bytes, size_t padding)
{
    pen_put(pen, strlen(name) + 1, 4);
    pen_put(pen, value_bytes, 4);
    pen_put(pen, type, 4);
    pen_put_bytes(pen, name, strlen(name) + 1);
    while (pen->length % 4)
        pen_put(pen, 0, 1);
    for (size_t i = 0; i < value_bytes; i++)
        pen_put(pen, 0xA0 + i, 1);
    while (pen->length % padding)
        pen_put(pen, 0, 1);
}

static void takes_the_build_id_among_notes(void **state)
{
    static const struct {
        const char *name;
        uint32_t type;
        size_t bytes;
        size_t expected; /* digits; 0: none */
    } cases[] = {
        {"GNU", NT_GNU_BUILD_ID, 1, 2},
        {"GNU", NT_GNU_BUILD_ID, 20, 40},
        {"GNU", NT_GNU_BUILD_ID, IMAGE_BUILD_ID_BYTES_MAX, 2 * IMAGE_BUILD_ID_BYTES_MAX},
        {"GNU", NT_GNU_BUILD_ID, IMAGE_BUILD_ID_BYTES_MAX + 1, 0},
        {"GNU", NT_GNU_BUILD_ID, 0, 0},
        {"GNU", NT_GNU_ABI_TAG, 20, 0},
        {"Gnu", NT_GNU_BUILD_ID, 20, 0},
        {"GNUX", NT_GNU_BUILD_ID, 20, 0},
        {"GN", NT_GNU_BUILD_ID, 20, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pen pen = {.length = 0};
        struct elf_builder_section section = {".note", SHT_NOTE, SHF_ALLOC, 0, pen.bytes, 0, 0, 0, 0};
        struct image image;
        char *id;

        put_note(&pen, "GNU", NT_GNU_ABI_TAG, 4, 4); /* the one before it */
        put_note(&pen, cases[i].name, cases[i].type, cases[i].bytes, 4);
        section.length = pen.length;
        open_section(&section, &image);
        id = image_build_id(&image);
        if ((id ? strlen(id) : 0) != cases[i].expected || (id && memcmp(id, "a0a1a2", cases[i].bytes > 2 ? 6 : 2) != 0))
            fail_msg("case %zu: %s", i, id ? id : "none");
        free(id);
        image_finish(&image);
    }
}

/* Without headers of sections, or where no section is marked as notes, the segments tell. */
static void takes_the_build_id_of_a_segment(void **state)
{
    static const struct {
        uint32_t type;
        uint64_t alignment;
        uint64_t bytes_more; /* than there are */
        uint64_t offset_more;
        bool is_found;
    } cases[] = {
        {PT_NOTE, 4, 0, 0, true},  {PT_NOTE, 8, 0, 0, true},        {PT_LOAD, 4, 0, 0, false},
        {PT_NOTE, 4, 1, 0, false}, {PT_NOTE, 4, 0, 0x10000, false}, {PT_NOTE, 4, UINT64_MAX - 0x100, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pen pen = {.length = 0};
        struct elf_builder_section section = {".any", SHT_PROGBITS, SHF_ALLOC, 0, pen.bytes, 0, 0, 0, 0x8000};
        Elf64_Phdr segment = {
            .p_type = cases[i].type, .p_offset = 0x8000 + cases[i].offset_more, .p_align = cases[i].alignment};
        struct elf_builder builder = {
            .sections = &section, .section_count = 1, .segments = &segment, .segment_count = 1};
        struct image image;
        char *id;

        put_note(&pen, "GNU", NT_GNU_ABI_TAG, 4, cases[i].alignment);
        put_note(&pen, "GNU", NT_GNU_BUILD_ID, 8, cases[i].alignment);
        section.length = pen.length;
        segment.p_filesz = pen.length + cases[i].bytes_more;
        builder.length = 0x8000 + pen.length; /* the notes end where the file does */
        open_image(&builder, &image);
        id = image_build_id(&image);
        if ((id != NULL) != cases[i].is_found || (id && strcmp(id, "a0a1a2a3a4a5a6a7") != 0))
            fail_msg("case %zu: %s", i, id ? id : "none");
        free(id);
        image_finish(&image);
    }
}

static void reads_the_debug_link_as_far_as_it_goes(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *name; /* NULL: there is none */
        uint32_t checksum;
    } cases[] = {
        {"abc\0\1\2\3\4", 8, "abc", 0x04030201},
        {"abc\0\1\2\3\4", 7, NULL, 0},
        {"abcd\0\0\0\0\1\2\3\4", 12, "abcd", 0x04030201},
        {"abcd\0\0\0\0\1\2\3\4", 11, NULL, 0},
        {"ab\0\0\5\6\7\0", 8, "ab", 0x00070605},
        {"abcdefgh", 8, NULL, 0},
        {"a/b\0\1\2\3\4", 8, NULL, 0},
        {"\0\0\0\0\1\2\3\4", 8, NULL, 0},
        {"/bc\0\1\2\3\4", 8, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct elf_builder_section section = {
            ".gnu_debuglink", SHT_PROGBITS, 0, 0, cases[i].bytes, cases[i].length, 0, 0, 0};
        struct image image;
        const char *name = NULL;
        uint32_t checksum = 0;

        open_section(&section, &image);
        if (image_debug_link(&image, &name, &checksum) != (cases[i].name != NULL) ||
            (name && strcmp(name, cases[i].name) != 0) || checksum != cases[i].checksum)
            fail_msg("case %zu: %s, 0x%x", i, name ? name : "none", checksum);
        image_finish(&image);
    }
}

static const char symbol_names[] = "\0a\0file.c\0f@V1\0f@@V2\0@x\0local\0other.c\0V2\0V3";

enum {
    NAME_A = 1,
    NAME_FILE = 3,
    NAME_V1 = 10,
    NAME_V2 = 15,
    NAME_AT = 21,
    NAME_LOCAL = 24,
    NAME_OTHER = 30,
    NAME_OF_VERSION_2 = 38,
    NAME_OF_VERSION_3 = 41,
};

/* .plt 0x1000, .text 0x1010 to 0x1050, .iplt 0x1050, all in a segment that ends 8 bytes behind them; data beside it. */
static const uint8_t code_bytes[0x58];
static const Elf64_Phdr code_segments[] = {
    {.p_type = PT_LOAD, .p_flags = PF_R, .p_offset = 0, .p_vaddr = 0, .p_filesz = 0x1000, .p_memsz = 0x1000},
    {.p_type = PT_NOTE, .p_flags = PF_R | PF_X, .p_offset = 0, .p_vaddr = 0x3000, .p_filesz = 0x1000},
    {.p_type = PT_LOAD,
     .p_flags = PF_R | PF_X,
     .p_offset = 0x1000,
     .p_vaddr = 0x1000,
     .p_filesz = 0x68,
     .p_memsz = 0x80},
};

static struct object *open_symbols(const Elf64_Sym *symbols, size_t count)
{
    const struct elf_builder_section sections[] = {
        {".plt", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1000, code_bytes, 0x10, 0, 0, 0x1000},
        {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1010, code_bytes, 0x40, 0, 0, 0x1010},
        {".iplt", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1050, code_bytes, 0x10, 0, 0, 0x1050},
        {".data", SHT_PROGBITS, SHF_ALLOC, 0x1060, code_bytes, 0x10, 0, 0, 0x1060},
        {".symtab", SHT_SYMTAB, 0, 0, symbols, count * sizeof(*symbols), 6, sizeof(*symbols), 0x2000},
        {".strtab", SHT_STRTAB, 0, 0, symbol_names, sizeof(symbol_names), 0, 0, 0x3000},
    };
    const struct elf_builder builder = {.sections = sections,
                                        .section_count = sizeof(sections) / sizeof(*sections),
                                        .segments = code_segments,
                                        .segment_count = sizeof(code_segments) / sizeof(*code_segments)};

    return open_object(&builder);
}

static void keeps_the_symbols_that_are_functions(void **state)
{
    static const struct {
        unsigned char type;
        unsigned char binding;
        uint16_t section;
        uint64_t address;
        bool is_kept;
    } cases[] = {
        {STT_FUNC, STB_GLOBAL, 2, 0x1010, true},
        {STT_FUNC, STB_WEAK, 2, 0x1010, true},
        {STT_FUNC, STB_LOCAL, 2, 0x1010, true},
        {STT_GNU_IFUNC, STB_GLOBAL, 2, 0x1010, true},
        {STT_NOTYPE, STB_GLOBAL, 2, 0x1010, true},
        {STT_NOTYPE, STB_WEAK, 2, 0x1010, true},
        {STT_NOTYPE, STB_LOCAL, 2, 0x1010, false},
        {STT_OBJECT, STB_GLOBAL, 2, 0x1010, false},
        {STT_SECTION, STB_LOCAL, 2, 0x1010, false},
        {STT_TLS, STB_GLOBAL, 2, 0x1010, false},
        {STT_FUNC, STB_GLOBAL, SHN_UNDEF, 0x1010, false},
        {STT_FUNC, STB_GLOBAL, SHN_ABS, 0x1010, true},
        {STT_GNU_IFUNC, STB_GLOBAL, SHN_ABS, 0x1010, true},
        {STT_NOTYPE, STB_GLOBAL, SHN_ABS, 0x1010, false},
        {STT_FUNC, STB_GLOBAL, 2, 0x1000, false}, /* .plt */
        {STT_FUNC, STB_GLOBAL, 2, 0x100F, false},
        {STT_FUNC, STB_GLOBAL, 2, 0x104F, true},  /* the last byte of .text */
        {STT_FUNC, STB_GLOBAL, 2, 0x1050, false}, /* .iplt */
        {STT_FUNC, STB_GLOBAL, 2, 0x1060, true},  /* in no section of code, but in a segment of it */
        {STT_NOTYPE, STB_GLOBAL, 2, 0x1060, false},
        {STT_FUNC, STB_GLOBAL, 2, 0x1067, true},
        {STT_FUNC, STB_GLOBAL, 2, 0x1068, false}, /* in memory, not in the file */
        {STT_FUNC, STB_GLOBAL, 2, 0x0FFF, false},
        {STT_FUNC, STB_GLOBAL, 2, 0x3000, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const Elf64_Sym symbols[] = {{0},
                                     {.st_name = NAME_A,
                                      .st_info = (unsigned char)ELF64_ST_INFO(cases[i].binding, cases[i].type),
                                      .st_shndx = cases[i].section,
                                      .st_value = cases[i].address,
                                      .st_size = 4}};
        struct object *object = open_symbols(symbols, 2);

        if (object->symbol_count != cases[i].is_kept)
            fail_msg("case %zu: %zu symbols", i, object->symbol_count);
        if (cases[i].is_kept) {
            assert_string_equal(object->symbols[0].name, "a");
            assert_int_equal(object->symbols[0].address, cases[i].address);
            assert_int_equal(object->symbols[0].size, 4);
            assert_int_equal(object->symbols[0].is_local, cases[i].binding == STB_LOCAL);
            assert_int_equal(object->symbols[0].is_ifunc, cases[i].type == STT_GNU_IFUNC);
        }
        object_close(object);
    }
}

#define FUNCTION(name, binding, address, size)                                                                         \
    {                                                                                                                  \
        name, ELF64_ST_INFO(binding, STT_FUNC), 0, 2, address, size                                                    \
    }
#define FILE_NAME(name)                                                                                                \
    {                                                                                                                  \
        name, ELF64_ST_INFO(STB_LOCAL, STT_FILE), 0, SHN_ABS, 0, 0                                                     \
    }

static void files_are_those_of_local_symbols(void **state)
{
    static const Elf64_Sym symbols[] = {{0},
                                        FUNCTION(NAME_LOCAL, STB_LOCAL, 0x1010, 1),
                                        FILE_NAME(NAME_FILE),
                                        FUNCTION(NAME_LOCAL, STB_LOCAL, 0x1011, 1),
                                        FILE_NAME(NAME_OTHER),
                                        FUNCTION(NAME_LOCAL, STB_LOCAL, 0x1012, 1),
                                        FILE_NAME(0),
                                        FUNCTION(NAME_LOCAL, STB_LOCAL, 0x1013, 1),
                                        FILE_NAME(NAME_OTHER),
                                        FUNCTION(NAME_LOCAL, STB_GLOBAL, 0x1014, 1),
                                        FUNCTION(0, STB_GLOBAL, 0x1015, 1)};
    static const char *const files[] = {NULL, "file.c", "other.c", NULL, NULL};
    struct object *object = open_symbols(symbols, sizeof(symbols) / sizeof(*symbols));

    (void)state;
    assert_int_equal(object->symbol_count, 5); /* the last has no name */
    for (size_t i = 0; i < 5; i++) {
        if (files[i])
            assert_string_equal(object->symbols[i].file, files[i]);
        else
            assert_null(object->symbols[i].file);
    }
    object_close(object);
}

static void splits_versions_off_names(void **state)
{
    static const Elf64_Sym symbols[] = {{0},
                                        FUNCTION(NAME_V1, STB_GLOBAL, 0x1010, 1),
                                        FUNCTION(NAME_V2, STB_GLOBAL, 0x1011, 1),
                                        FUNCTION(NAME_AT, STB_GLOBAL, 0x1012, 1),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1013, 1)};
    static const struct {
        const char *name;
        const char *version;
        bool is_default;
    } expected[] = {{"f", "V1", false}, {"f", "V2", true}, {"@x", NULL, true}, {"a", NULL, true}};
    struct object *object = open_symbols(symbols, sizeof(symbols) / sizeof(*symbols));

    (void)state;
    assert_int_equal(object->symbol_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(object->symbols[i].name, expected[i].name);
        assert_string_equal(object->symbols[i].version ? object->symbols[i].version : "",
                            expected[i].version ? expected[i].version : "");
        assert_int_equal(object->symbols[i].is_default_version, expected[i].is_default);
    }
    object_close(object);
}

static void reads_versions_by_number(void **state)
{
    static const Elf64_Sym symbols[] = {{0},
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1010, 1),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1011, 1),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1012, 1),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1013, 1),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1014, 1)};
    static const Elf64_Half numbers[] = {0, 2, 3 | 0x8000, 1, 0, 9};
    static const struct {
        Elf64_Verdef definition;
        Elf64_Verdaux name;
    } versions[] = {
        {{1, VER_FLG_BASE, 1, 1, 0, sizeof(Elf64_Verdef), sizeof(*versions)}, {NAME_FILE, 0}},
        {{1, 0, 2, 1, 0, sizeof(Elf64_Verdef), sizeof(*versions)}, {NAME_OF_VERSION_2, 0}},
        {{1, 0, 3, 1, 0, sizeof(Elf64_Verdef), 0}, {NAME_OF_VERSION_3, 0}},
    };
    static const char *const expected[] = {"V2", "V3", NULL, NULL, NULL};
    const struct elf_builder_section sections[] = {
        {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1010, code_bytes, 0x40, 0, 0, 0x1010},
        {".dynsym", SHT_DYNSYM, 0, 0, symbols, sizeof(symbols), 3, sizeof(*symbols), 0x2000},
        {".dynstr", SHT_STRTAB, 0, 0, symbol_names, sizeof(symbol_names), 0, 0, 0x3000},
        {".gnu.version", SHT_GNU_versym, 0, 0, numbers, sizeof(numbers), 2, 2, 0x4000},
        {".gnu.version_d", SHT_GNU_verdef, 0, 0, versions, sizeof(versions), 3, 0, 0x5000},
    };
    const struct elf_builder builder = {.sections = sections,
                                        .section_count = sizeof(sections) / sizeof(*sections),
                                        .segments = code_segments,
                                        .segment_count = sizeof(code_segments) / sizeof(*code_segments)};
    struct object *object = open_object(&builder);

    (void)state;
    assert_int_equal(object->symbol_count, 5);
    assert_true(object->is_stripped);
    for (size_t i = 0; i < 5; i++) {
        if (expected[i])
            assert_string_equal(object->symbols[i].version, expected[i]);
        else
            assert_null(object->symbols[i].version);
        assert_int_equal(object->symbols[i].is_default_version, i != 1);
    }
    object_close(object);
}

/* Two symbols of one name and address are one, which knows what either knew. */
static void merges_what_two_tables_say(void **state)
{
    static const struct symbol pairs[][3] = {
        /* one, the other, and what comes of them in either order */
        {{.name = "a", .size = 4, .version = "V", .is_default_version = true},
         {.name = "a", .size = 8, .is_default_version = true},
         {.name = "a", .size = 8, .version = "V", .is_default_version = true}},
        {{.name = "a", .size = 8, .version = "V"},
         {.name = "a", .size = 4, .is_default_version = true},
         {.name = "a", .size = 8, .version = "V"}},
        {{.name = "a", .is_local = true, .file = "f.c", .is_default_version = true},
         {.name = "a", .is_default_version = true},
         {.name = "a", .file = "f.c", .is_default_version = true}},
        {{.name = "a", .is_local = true, .is_default_version = true},
         {.name = "a", .is_local = true, .is_default_version = true},
         {.name = "a", .is_local = true, .is_default_version = true}},
        {{.name = "a", .is_ifunc = true, .is_default_version = true},
         {.name = "a", .is_default_version = true},
         {.name = "a", .is_ifunc = true, .is_default_version = true}},
        {{.name = "a", .version = "V", .is_default_version = true},
         {.name = "a", .version = "W"},
         {.name = "a", .version = "V", .is_default_version = true}},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(pairs) / sizeof(*pairs); i++) {
        const struct symbol *expected = &pairs[i / 2][2];
        struct symbol symbols[] = {{.name = "z", .address = 9}, pairs[i / 2][i % 2], pairs[i / 2][1 - i % 2]};
        struct symtab symtab = {.symbols = symbols, .count = 3};

        symtab_sort(&symtab);
        assert_int_equal(symtab.count, 2);
        assert_string_equal(symbols[1].name, "z");
        if (symbols[0].size != expected->size || symbols[0].is_local != expected->is_local ||
            symbols[0].is_ifunc != expected->is_ifunc ||
            symbols[0].is_default_version != expected->is_default_version || symbols[0].version != expected->version ||
            symbols[0].file != expected->file)
            fail_msg("pair %zu, order %zu", i / 2, i % 2);
    }
}

static void keeps_names_of_one_address_apart(void **state)
{
    struct symbol symbols[] = {{.name = "b", .address = 2},
                               {.name = "a", .address = 2},
                               {.name = "a", .address = 1},
                               {.name = "a", .address = 3}};
    struct symtab symtab = {.symbols = symbols, .count = 4};
    struct symtab empty = {0};

    (void)state;
    symtab_sort(&symtab);
    symtab_sort(&empty);
    assert_int_equal(empty.count, 0);
    assert_int_equal(symtab.count, 4);
    assert_int_equal(symbols[0].address, 1);
    assert_string_equal(symbols[1].name, "a");
    assert_string_equal(symbols[2].name, "b");
    assert_int_equal(symbols[3].address, 3);
}

static void tells_room_and_neighbours(void **state)
{
    static const Elf64_Sym symbols[] = {{0},
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1010, 8),
                                        FUNCTION(NAME_LOCAL, STB_GLOBAL, 0x1010, 8),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x1020, 0x10),
                                        FUNCTION(NAME_A, STB_GLOBAL, 0x104F, 1)};
    static const struct {
        uint64_t address;
        size_t room;
        uint64_t around; /* the symbol before, of which the address is a part */
        bool is_code;
    } cases[] = {
        {0x0FFF, 0, 0, false},        {0x1000, 0x10, 0, false},  {0x100F, 1, 0, false}, {0x1010, 0x10, 0, true},
        {0x1011, 0x0F, 0x1010, true}, {0x1017, 9, 0x1010, true}, {0x1018, 8, 0, true},  {0x1020, 0x2F, 0, true},
        {0x102F, 0x20, 0x1020, true}, {0x1030, 0x1F, 0, true},   {0x104F, 1, 0, true},  {0x1050, 0x10, 0, false},
        {0x1060, 8, 0, false},        {0x1067, 1, 0, false},     {0x1068, 0, 0, false},
    };
    struct object *object = open_symbols(symbols, sizeof(symbols) / sizeof(*symbols));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct symbol *around = object_symbol_around(object, cases[i].address);
        size_t room = object_room(object, cases[i].address);
        size_t bytes = 0;
        const uint8_t *code = object_code(object, cases[i].address, &bytes);
        bool is_inside = cases[i].address >= 0x1000 && cases[i].address < 0x1068;

        if (room != cases[i].room || (around ? around->address : 0) != cases[i].around ||
            object_has_function_code(object, cases[i].address) != cases[i].is_code || (code != NULL) != is_inside ||
            bytes != (is_inside ? 0x1068 - cases[i].address : 0))
            fail_msg("0x%lx: room %zu, %zu bytes", cases[i].address, room, bytes);
    }
    object_close(object);
}

static void gives_sections_of_code_one_by_one(void **state)
{
    static const Elf64_Sym symbols[] = {{0}};
    static const struct {
        uint64_t address;
        size_t bytes;
    } expected[] = {{0x1000, 0x10}, {0x1010, 0x40}, {0x1050, 0x10}};
    struct object *object = open_symbols(symbols, 1);
    uint64_t address;
    size_t bytes;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(object_section(object, i, &address, &bytes));
        assert_int_equal(address, expected[i].address);
        assert_int_equal(bytes, expected[i].bytes);
    }
    assert_null(object_section(object, 3, &address, &bytes));
    object_close(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_the_least),
        cmocka_unit_test(takes_the_build_id_among_notes),
        cmocka_unit_test(takes_the_build_id_of_a_segment),
        cmocka_unit_test(reads_the_debug_link_as_far_as_it_goes),
        cmocka_unit_test(keeps_the_symbols_that_are_functions),
        cmocka_unit_test(files_are_those_of_local_symbols),
        cmocka_unit_test(splits_versions_off_names),
        cmocka_unit_test(reads_versions_by_number),
        cmocka_unit_test(merges_what_two_tables_say),
        cmocka_unit_test(keeps_names_of_one_address_apart),
        cmocka_unit_test(tells_room_and_neighbours),
        cmocka_unit_test(gives_sections_of_code_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
