/* symbols/elf/object.h: what is read of real ELF files, and what is refused. The objects are built beside this test,
 * see objects/meson.build; their folder is the first argument. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"
#include "symbols/elf/name.h"
#include "symbols/elf/object.h"

static const char *objects_dir;

static struct object *open_object(const char *name)
{
    struct diag diag = {0};
    struct object *object = NULL;
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", objects_dir, name);
    if (object_open(path, 0x1000, false, &object, &diag) < 0)
        fail_msg("%s", diag.text);
    return object;
}

/* The n-th symbol of that name, from 0, or NULL. */
static const struct symbol *find_symbol(const struct object *object, const char *name, int n)
{
    for (size_t i = 0; i < object->symbol_count; i++) {
        if (strcmp(object->symbols[i].name, name) == 0 && n-- == 0)
            return &object->symbols[i];
    }
    return NULL;
}

static void reads_what_an_object_is(void **state)
{
    struct object *object = open_object("libshapes.so");

    (void)state;
    assert_string_equal(object->base_name, "libshapes.so");
    assert_string_equal(object->soname, "libshapes.so.1");
    assert_int_equal(strlen(object->build_id), 40);
    assert_int_equal(strspn(object->build_id, "0123456789abcdef"), 40);
    assert_int_equal(object->load_bias, 0x1000);
    assert_false(object->is_loader);
    assert_false(object->is_stripped);
    object_close(object);
    object_close(NULL);
}

static void sorts_symbols_and_merges_the_two_tables(void **state)
{
    struct object *object = open_object("libshapes.so");

    (void)state;
    for (size_t i = 1; i < object->symbol_count; i++) {
        const struct symbol *a = &object->symbols[i - 1];
        const struct symbol *b = &object->symbols[i];

        assert_true(a->address < b->address || (a->address == b->address && strcmp(a->name, b->name) < 0));
    }
    assert_non_null(find_symbol(object, "shapes_first", 0));
    assert_null(find_symbol(object, "shapes_first", 1));
    object_close(object);
}

static void tells_kinds_of_symbols_apart(void **state)
{
    struct object *object = open_object("libshapes.so");
    const struct symbol *first = find_symbol(object, "shapes_first", 0);
    const struct symbol *alias = find_symbol(object, "shapes_alias", 0);
    const struct symbol *helper = find_symbol(object, "helper", 0);
    const struct symbol *other = find_symbol(object, "helper", 1);

    (void)state;
    assert_int_equal(first->address, alias->address);
    assert_false(first->is_local);
    assert_true(helper->is_local);
    assert_true(helper->address != other->address);
    assert_true(strcmp(helper->file, "shapes.c") == 0 || strcmp(helper->file, "shapes_more.c") == 0);
    assert_string_not_equal(helper->file, other->file);
    assert_true(find_symbol(object, "shapes_chosen", 0)->is_ifunc);
    assert_false(first->is_ifunc);
    assert_null(find_symbol(object, "rand", 0)); /* a PLT stub at most */
    assert_null(find_symbol(object, "shapes_sink", 0));
    assert_ptr_equal(object_symbol_at(object, first->address), alias); /* the first of two, by name */
    assert_null(object_symbol_at(object, first->address + 1));
    object_close(object);
}

static void reads_versions(void **state)
{
    static const char *const files[] = {"libshapes.so", "libstripped.so"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct object *object = open_object(files[i]);
        const struct symbol *a = find_symbol(object, "shapes_api", 0);
        const struct symbol *b = find_symbol(object, "shapes_api", 1);

        assert_non_null(b);
        assert_true(a->is_default_version != b->is_default_version);
        assert_string_equal((a->is_default_version ? a : b)->version, "SHAPES_2");
        assert_string_equal((a->is_default_version ? b : a)->version, "SHAPES_1");
        object_close(object);
    }
}

static void takes_global_assembly_without_a_type(void **state)
{
    struct object *object = open_object("libnames.so");

    (void)state;
    assert_non_null(find_symbol(object, "untyped", 0));
    assert_int_equal(find_symbol(object, "untyped", 0)->size, 0);
    assert_null(find_symbol(object, "untyped_label", 0));
    assert_null(find_symbol(object, "untyped_data", 0));
    assert_null(find_symbol(object, "text_end", 0));
    assert_null(find_symbol(object, "stub", 0)); /* in a section of PLT stubs */
    object_close(object);
}

static void gives_code_and_room(void **state)
{
    struct object *object = open_object("libnames.so");
    const struct symbol *plain = find_symbol(object, "plain", 0);
    const struct symbol *outer = find_symbol(object, "outer", 0);
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    size_t bytes = 0;
    uint64_t address;
    size_t section_bytes = 0;
    const uint8_t *code = object_code(object, plain->address, &bytes);
    const uint8_t *section = object_section(object, 0, &address, &section_bytes);

    (void)state;
    assert_memory_equal(code, endbr64, sizeof(endbr64));
    assert_true(bytes >= plain->size);
    assert_int_equal(object_room(object, plain->address), 16);
    assert_int_equal(object_room(object, outer->address), 2);
    assert_null(object_code(object, UINT64_MAX, &bytes));
    assert_null(object_code(object, find_symbol(object, "untyped", 0)->address + (1 << 20), &bytes));
    assert_int_equal(object_room(object, UINT64_MAX), 0);
    assert_ptr_equal(section + (plain->address - address), code);
    assert_true(section_bytes > 16);
    object_close(object);
}

static void reads_the_debug_file_of_a_stripped_object(void **state)
{
    static const char *const files[] = {"libstripped.so", "libanonymous.so"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct object *object = open_object(files[i]);

        assert_false(object->is_stripped);
        assert_non_null(find_symbol(object, "helper", 1));
        assert_non_null(find_symbol(object, "shapes_first", 0));
        assert_null(find_symbol(object, "shapes_first", 1));
        object_close(object);
    }
}

static void passes_over_a_debug_file_of_another_build(void **state)
{
    struct object *object = open_object("libstrange.so");

    (void)state;
    assert_true(object->is_stripped);
    assert_null(find_symbol(object, "helper", 0));
    assert_null(find_symbol(object, "split.cold", 0));
    assert_non_null(find_symbol(object, "split", 0));
    object_close(object);
}

static void copy_file(const char *from, const char *to)
{
    char buffer[4096];
    FILE *input = fopen(from, "rb");
    FILE *output = fopen(to, "wb");
    size_t length;

    assert_non_null(input);
    assert_non_null(output);
    while ((length = fread(buffer, 1, sizeof(buffer), input)) > 0)
        assert_int_equal(fwrite(buffer, 1, length, output), length);
    fclose(input);
    assert_int_equal(fclose(output), 0);
}

/* Without a build id, the checksum stands between an object and a debug file that was changed. */
static void passes_over_a_debug_file_of_another_checksum(void **state)
{
    char folder[] = "/tmp/test_object.XXXXXX";
    char from[4096];
    char object_path[64];
    char debug_path[64];
    struct diag diag = {0};
    struct object *object = NULL;
    int result;
    FILE *debug;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(object_path, sizeof(object_path), "%s/o.so", folder);
    snprintf(debug_path, sizeof(debug_path), "%s/libanonymous.so.debug", folder);
    snprintf(from, sizeof(from), "%s/libanonymous.so", objects_dir);
    copy_file(from, object_path);
    snprintf(from, sizeof(from), "%s/libanonymous.so.debug", objects_dir);
    copy_file(from, debug_path);
    debug = fopen(debug_path, "ab");
    fputc('x', debug);
    fclose(debug);
    result = object_open(object_path, 0, false, &object, &diag);
    unlink(object_path);
    unlink(debug_path);
    rmdir(folder);
    assert_int_equal(result, 0);
    assert_true(object->is_stripped);
    assert_null(find_symbol(object, "helper", 0));
    object_close(object);
}

static void demangles_when_asked(void **state)
{
    struct object *object = open_object("liboverloads.so");
    const struct symbol *run = find_symbol(object, "_ZN2ns6Worker3runEi", 0);
    const char *text = object_symbol_demangled(object, run);

    (void)state;
    assert_string_equal(text, "ns::Worker::run(int)");
    assert_ptr_equal(object_symbol_demangled(object, run), text);
    assert_null(object_symbol_demangled(object, find_symbol(object, "run", 0)));
    object_close(object);
}

static void refuses_what_is_no_object(void **state)
{
    static const struct {
        const char *path;
        int error;
        const char *text;
    } cases[] = {
        {"/nonexistent", -ENOENT, "/nonexistent: No such file or directory"},
        {"/dev/null", -ENOEXEC, "not an ELF file"},
        {"/", -ENOEXEC, "not an ELF file"},
        {"/proc/self/cmdline", -ENOEXEC, "not an ELF file"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct object *object = NULL;
        struct diag diag = {0};

        assert_int_equal(object_open(cases[i].path, 0, false, &object, &diag), cases[i].error);
        assert_non_null(strstr(diag.text, cases[i].text));
        assert_null(object);
    }
}

static void refuses_other_machines(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
        const char *text;
    } cases[] = {
        {4, 1, "32-bit"},               /* EI_CLASS */
        {18, 183, "another processor"}, /* e_machine: AArch64 */
        {5, 2, "another processor"},    /* EI_DATA */
        {16, 1, "neither a program"},   /* e_type: relocatable */
    };
    char path[] = "/tmp/test_object.XXXXXX";
    char from[4096];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    snprintf(from, sizeof(from), "%s/libnames.so", objects_dir);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct object *object = NULL;
        struct diag diag = {0};
        int result;

        copy_file(from, path);
        assert_int_equal(pwrite(fd, &cases[i].value, 1, (off_t)cases[i].offset), 1);
        result = object_open(path, 0, false, &object, &diag);
        if (result != -ENOEXEC || !strstr(diag.text, cases[i].text))
            fail_msg("case %zu: %d, %s", i, result, diag.text);
    }
    close(fd);
    unlink(path);
}

static void splits_clones(void **state)
{
    static const struct {
        const char *name;
        size_t length;
        enum name_clone clone;
    } cases[] = {
        {"foo", 3, NAME_CLONE_NONE},
        {"", 0, NAME_CLONE_NONE},
        {".foo", 4, NAME_CLONE_NONE},
        {"foo.constprop.0", 3, NAME_CLONE_WHOLE},
        {"foo.isra.12", 3, NAME_CLONE_WHOLE},
        {"foo.part.0", 3, NAME_CLONE_PART},
        {"foo.cold", 3, NAME_CLONE_COLD},
        {"foo.cold.7", 3, NAME_CLONE_COLD},
        {"foo.constprop.0.cold", 3, NAME_CLONE_COLD},
        {"foo.part.0.constprop.1", 3, NAME_CLONE_PART},
        {"foo.lto_priv.0", 3, NAME_CLONE_NONE},
        {"foo.llvm.1234567890123456789", 3, NAME_CLONE_NONE},
        {"foo.v2", 6, NAME_CLONE_NONE},
        {"foo.v2.constprop.0", 6, NAME_CLONE_WHOLE},
        {"foo.constprop.0x", 16, NAME_CLONE_NONE},
        {"foo.constprop.", 14, NAME_CLONE_NONE},
        {"foo.", 4, NAME_CLONE_NONE},
        {"foo.colder", 10, NAME_CLONE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t length = 99;
        enum name_clone clone = name_split_clone(cases[i].name, &length);

        if (clone != cases[i].clone || length != cases[i].length)
            fail_msg("%s: %zu bytes, clone %d", cases[i].name, length, clone);
    }
}

static void matches_globs(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool is_match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"a*c*e", "abcde", true},
        {"a*c*e", "abcd", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[abc]x", "bx", true},
        {"[!abc]x", "bx", false},
        {"[^abc]x", "dx", true},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "Bx", false}, /* some locales sort B there */
        {"[]]x", "]x", true},
        {"[a-]x", "-x", true},
        {"[[:digit:]]x", "7x", true},
        {"[[:digit:]_]x", "_x", true},
        {"[![:upper:]]x", "Ax", false},
        {"[[:alpha:]", "a", false},
        {"[abc", "[abc", true}, /* never closed: itself */
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"[\\]]", "]", true},
        {"ns::*::run*", "ns::Worker::run(int)", true},
        {"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (name_glob(cases[i].pattern, cases[i].text) != cases[i].is_match)
            fail_msg("%s against %s", cases[i].pattern, cases[i].text);
    }
}

static void finds_the_key_of_a_name(void **state)
{
    static const struct {
        const char *name;
        const char *key; /* NULL: none */
    } cases[] = {
        {"run", "run"},
        {"ns::Worker::run", "run"},
        {"ns::Worker::run(int, char*)", "run"},
        {"ns::Worker::~Worker()", "Worker"},
        {"(anonymous namespace)::run", "run"},
        {"ns::twice<int>", "twice"},
        {"<T as Trait>::method", "method"},
        {"std::string::append", "append"},
        {"std::string::~string", NULL},
        {"int ns::twice<int>(int)", NULL},
        {"ns::Worker::operator()(int)", NULL},
        {"ns::*", "ns"},
        {"run*", NULL},
        {"ns::run*", "ns"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *key = NULL;
        size_t length = 0;
        bool is_found = demangle_key(cases[i].name, &key, &length);

        if (is_found != (cases[i].key != NULL) ||
            (is_found && (length != strlen(cases[i].key) || memcmp(key, cases[i].key, length) != 0)))
            fail_msg("%s: %.*s", cases[i].name, (int)length, key ? key : "");
    }
}

/* Names whose demangled form doubles with every few letters must neither fill the memory nor end the test. */
static void bounds_demangled_names(void **state)
{
    char name[512] = "_Z1fI";
    size_t length = strlen(name);
    char *text;

    (void)state;
    length += (size_t)snprintf(name + length, sizeof(name) - length, "1aIiiE");
    for (int i = 0; i < 30; i++) {
        if (i == 0)
            length += (size_t)snprintf(name + length, sizeof(name) - length, "1aIS0_S0_E");
        else
            length +=
                (size_t)snprintf(name + length, sizeof(name) - length, "1aIS%c_S%c_E",
                                 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]);
    }
    snprintf(name + length, sizeof(name) - length, "Evv");
    text = demangle(name, strlen(name), DEMANGLE_FULL);
    assert_true(!text || strlen(text) <= 64 * 1024);
    free(text);
}

static void makes_text_fit_for_labels(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"plain", "plain"},
        {"\303\244\342\202\254\360\237\230\200", "\303\244\342\202\254\360\237\230\200"},
        {"a\377b", "a?b"},
        {"a\303", "a?"},
        {"\300\200", "??"},           /* overlong */
        {"\355\240\200", "???"},      /* surrogate */
        {"\364\220\200\200", "????"}, /* above U+10FFFF */
        {"\033[2J", "?[2J"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s", cases[i].text);
        demangle_sanitize(text);
        assert_string_equal(text, cases[i].expected);
    }
}

static void removes_blanks_that_say_nothing(void **state)
{
    static const char *const cases[][2] = {
        {"f(int, char const *)", "f(int,char const*)"},
        {" f ( unsigned  long ) ", "f(unsigned long)"},
        {"A<B<int> >", "A<B<int>>"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s", cases[i][0]);
        demangle_normalize(text);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_an_object_is),
        cmocka_unit_test(sorts_symbols_and_merges_the_two_tables),
        cmocka_unit_test(tells_kinds_of_symbols_apart),
        cmocka_unit_test(reads_versions),
        cmocka_unit_test(takes_global_assembly_without_a_type),
        cmocka_unit_test(gives_code_and_room),
        cmocka_unit_test(reads_the_debug_file_of_a_stripped_object),
        cmocka_unit_test(passes_over_a_debug_file_of_another_build),
        cmocka_unit_test(passes_over_a_debug_file_of_another_checksum),
        cmocka_unit_test(demangles_when_asked),
        cmocka_unit_test(refuses_what_is_no_object),
        cmocka_unit_test(refuses_other_machines),
        cmocka_unit_test(splits_clones),
        cmocka_unit_test(matches_globs),
        cmocka_unit_test(finds_the_key_of_a_name),
        cmocka_unit_test(bounds_demangled_names),
        cmocka_unit_test(makes_text_fit_for_labels),
        cmocka_unit_test(removes_blanks_that_say_nothing),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-OBJECTS\n", argv[0]);
        return 2;
    }
    objects_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
