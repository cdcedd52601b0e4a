/* symbols/elf/variable.h: which variable a name means in real ELF files, and what is refused. The objects are built
 * beside this test, see objects/meson.build; their folder is the first argument. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbols/common/diag.h"
#include "symbols/elf/object.h"
#include "symbols/elf/variable.h"

enum {
    OBJECTS_MAX = 4
};

static const char *objects_dir;

/* Objects in load order, and a search in them. */
struct fixture {
    struct object *objects[OBJECTS_MAX];
    size_t count;
    struct variable_search *search;
};

/* `names` end with a NULL; the first is a program if its name has no dot. */
static void fixture_init(struct fixture *fixture, const char *const *names)
{
    *fixture = (struct fixture){0};
    for (; names[fixture->count]; fixture->count++) {
        const char *name = names[fixture->count];
        struct diag diag = {0};
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", objects_dir, name);
        if (object_open(path, 0, !strchr(name, '.'), &fixture->objects[fixture->count], &diag) < 0)
            fail_msg("%s", diag.text);
    }
    assert_int_equal(variable_search_create(fixture->objects, fixture->count, &fixture->search), 0);
}

static void fixture_finish(struct fixture *fixture)
{
    variable_search_destroy(fixture->search);
    for (size_t i = 0; i < fixture->count; i++)
        object_close(fixture->objects[i]);
}

static struct variable_query query_of(const char *name, enum value_type type)
{
    return (struct variable_query){.name = name, .type = type};
}

static struct variable find(const struct fixture *fixture, const char *global, const char *object)
{
    struct variable_query query = query_of(global, VALUE_BOOL);
    struct variable variable = {0};
    struct diag diag = {0};

    query.object = object;
    if (variable_find(fixture->search, &query, &variable, &diag) < 0)
        fail_msg("%s: %s", global, diag.text);
    return variable;
}

/* The file's bytes at the variable, which lies in a segment that the object's code is not in. */
static int32_t value_of(const struct variable *variable)
{
    char command[4400];
    char line[64] = "";
    FILE *pipe;

    snprintf(command, sizeof(command),
             "objdump -s -j .data --start-address=%llu --stop-address=%llu '%s' | tail -n 1 | awk '{ print $2 }'",
             (unsigned long long)variable->address, (unsigned long long)variable->address + 4, variable->object->path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(line, sizeof(line), pipe))
        line[0] = '\0';
    pclose(pipe);
    return (int32_t)__builtin_bswap32((uint32_t)strtoul(line, NULL, 16));
}

static void refuse(const struct fixture *fixture, const struct variable_query *query, int result, const char *text)
{
    struct variable variable = {.size = 4711};
    struct diag diag = {0};

    assert_int_equal(variable_find(fixture->search, query, &variable, &diag), result);
    assert_string_equal(diag.text, text);
    assert_int_equal(variable.size, 4711);
}

static void refuse_name(const struct fixture *fixture, const char *global, const char *object, int result,
                        const char *text)
{
    struct variable_query query = query_of(global, VALUE_INT32);

    query.object = object;
    refuse(fixture, &query, result, text);
}

static void finds_variables_of_every_kind(void **state)
{
    static const struct {
        const char *name;
        uint64_t size;
        int32_t value; /* 0: it lies in .bss */
    } cases[] = {
        {"variables_number", 4, 42}, {"variables_alias", 4, 42}, {"variables_common", 32, 0},
        {"variables_pool", 16, 7},   {"variables_small", 2, 3},  {"variables_hidden", 4, 5},
        {"variables_untyped", 0, 9}, {"calls.0", 4, 0},          {"variables_pointer", 8, 0},
    };
    static const char *const objects[] = {"libvariables.so", "libvariables-split.so"};

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        struct fixture fixture;

        fixture_init(&fixture, (const char *[]){objects[n], NULL});
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            struct variable variable = find(&fixture, cases[i].name, NULL);

            assert_ptr_equal(variable.object, fixture.objects[0]);
            assert_int_equal(variable.size, cases[i].size);
            assert_false(variable.is_copy);
            if (cases[i].value)
                assert_int_equal(value_of(&variable) & (cases[i].size == 2 ? 0xFFFF : -1), cases[i].value);
        }
        fixture_finish(&fixture);
    }
}

static void finds_demangled_names(void **state)
{
    static const struct {
        const char *name;
        int32_t value;
    } cases[] = {
        {"ns::pool", 1},
        {"_ZN2ns4poolE", 1},
        {"other::pool", 7},
        {"ns::hidden", 2},
        {"ns::(anonymous namespace)::nameless", 3},
        {"ns::Pool<unsigned int>::count", 4},
        {"ns::Pool<unsigned  int >::count", 4},
        {"plain", 5},
        {"plain_c", 6},
    };
    struct fixture fixture;
    struct variable variable;

    (void)state;
    fixture_init(&fixture, (const char *[]){"libvariables-cxx.so", NULL});
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        variable = find(&fixture, cases[i].name, NULL);
        if (value_of(&variable) != cases[i].value)
            fail_msg("%s: %d", cases[i].name, value_of(&variable));
    }
    variable = find(&fixture, "count_up(int)::calls", NULL);
    assert_int_equal(variable.size, 4);
    fixture_finish(&fixture);
}

static void searches_in_load_order_and_where_it_is_told_to(void **state)
{
    struct fixture fixture;
    struct variable variable;

    (void)state;
    fixture_init(&fixture, (const char *[]){"variables-program", "libvariables-cxx.so", "libvariables.so", NULL});
    assert_ptr_equal(find(&fixture, "variables_pool", NULL).object, fixture.objects[0]);
    assert_ptr_equal(find(&fixture, "variables_small", NULL).object, fixture.objects[2]);
    assert_ptr_equal(find(&fixture, "ns::pool", NULL).object, fixture.objects[1]);
    /* A static variable of the program is no copy of the library's. */
    variable = find(&fixture, "variables_pool", "libvariables.so");
    assert_ptr_equal(variable.object, fixture.objects[2]);
    assert_int_equal(variable.size, 16);
    assert_ptr_equal(find(&fixture, "variables_pool", "libvariables.so.1").object, fixture.objects[2]);
    assert_ptr_equal(find(&fixture, "variables_pool", "variables-*").object, fixture.objects[0]);
    fixture_finish(&fixture);
}

static void prefers_the_copy_that_the_program_has(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, (const char *[]){"variables-program", "libvariables.so", "libvariables-symbolic.so", NULL});
    for (const char *const *name = (const char *[]){"variables_number", "variables_common", NULL}; *name; name++) {
        struct variable variable = find(&fixture, *name, "libvariables.so");

        assert_ptr_equal(variable.object, fixture.objects[0]);
        assert_true(variable.is_copy);
        assert_int_equal(variable.address, find(&fixture, *name, NULL).address);
        assert_false(find(&fixture, *name, NULL).is_copy);
        /* This one does not look at the program's. */
        assert_ptr_equal(find(&fixture, *name, "libvariables-symbolic.so").object, fixture.objects[2]);
    }
    assert_ptr_equal(find(&fixture, "variables_small", "libvariables.so").object, fixture.objects[1]);
    fixture_finish(&fixture);
}

static void says_why_there_is_none(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, (const char *[]){"variables-program", "libvariables.so", "libvariables-stripped.so", NULL});
    refuse_name(&fixture, "nowhere", NULL, -ENOENT,
                "no variable called \"nowhere\" in variables-program or its 2 libraries");
    refuse_name(&fixture, "variables_pol", "libvariables.so", -ENOENT,
                "no variable called \"variables_pol\" in libvariables.so; did you mean \"variables_pool\"?");
    refuse_name(&fixture, "variables_count", "libvariables.so", -ENOENT,
                "no variable called \"variables_count\" in libvariables.so; that is a function");
    refuse_name(&fixture, "variables_small", "libvariables-stripped.so", -ENOENT,
                "no variable called \"variables_small\" in libvariables-stripped.so; did you mean "
                "\"variables_pool\"?; libvariables-stripped.so is stripped and shows only what it exports: a package "
                "with its debug symbols helps");
    refuse_name(&fixture, "nowhere", "libvariables*", -ENOENT,
                "no variable called \"nowhere\" in the 2 objects that match libvariables*; libvariables-stripped.so is "
                "stripped and shows only what it exports: a package with its debug symbols helps");
    refuse_name(&fixture, "nowhere", "libother.so*", -ENOENT,
                "no object that matches \"libother.so*\" is loaded when the program starts");
    refuse_name(&fixture, "variables_thread", NULL, -EINVAL,
                "\"variables_thread\" in libvariables.so is thread-local: each thread has one of its own, and a gauge "
                "is one number");
    refuse_name(&fixture, "absolute_number", "libvariables.so", -ENOENT,
                "no variable called \"absolute_number\" in libvariables.so");
    refuse_name(&fixture, "variables_code", "libvariables.so", -ENOENT,
                "no variable called \"variables_code\" in libvariables.so; that is a function");
    fixture_finish(&fixture);
}

static void refuses_several_static_ones_of_one_name(void **state)
{
    struct fixture fixture;
    struct variable_query query = query_of("variables_twice", VALUE_INT32);
    struct variable variable;
    struct diag diag = {0};

    (void)state;
    fixture_init(&fixture, (const char *[]){"libvariables.so", NULL});
    assert_int_equal(variable_find(fixture.search, &query, &variable, &diag), -EINVAL);
    assert_non_null(strstr(diag.text, "libvariables.so has 2 variables called \"variables_twice\" (0x"));
    assert_non_null(strstr(diag.text, " of variables.c"));
    assert_non_null(strstr(diag.text, " of variables_more.c"));
    fixture_finish(&fixture);
}

static void refuses_what_lies_outside(void **state)
{
    static const struct {
        const char *name;
        uint64_t offset;
        enum value_type type;
        bool is_deref;
        const char *text; /* NULL: it fits */
    } cases[] = {
        {"variables_pool", 0, VALUE_INT64, false, NULL},
        {"variables_pool", 8, VALUE_DOUBLE, false, NULL},
        {"variables_pool", 15, VALUE_BOOL, false, NULL},
        {"variables_pool", 12, VALUE_FLOAT, false, NULL},
        {"variables_pool", 16, VALUE_BOOL, false,
         "1 byte at offset 16 lies outside of \"variables_pool\", which has 16 bytes"},
        {"variables_pool", 9, VALUE_UINT64, false,
         "8 bytes at offset 9 lie outside of \"variables_pool\", which has 16 bytes"},
        {"variables_pool", UINT64_MAX, VALUE_UINT64, false,
         "8 bytes at offset 18446744073709551615 lie outside of \"variables_pool\", which has 16 bytes"},
        {"variables_small", 0, VALUE_INT32, false,
         "4 bytes at offset 0 lie outside of \"variables_small\", which has 2 bytes"},
        {"variables_untyped", 0, VALUE_UINT64, false, NULL},
        {"variables_pointer", 4096, VALUE_UINT64, true, NULL},
        {"variables_number", 0, VALUE_BOOL, true, "\"variables_number\" has 4 bytes, and a pointer has 8"},
    };
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, (const char *[]){"libvariables.so", NULL});
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct variable_query query = query_of(cases[i].name, cases[i].type);
        struct variable variable;
        struct diag diag = {0};

        query.offset = cases[i].offset;
        query.is_deref = cases[i].is_deref;
        if (cases[i].text)
            refuse(&fixture, &query, -EINVAL, cases[i].text);
        else if (variable_find(fixture.search, &query, &variable, &diag) < 0)
            fail_msg("%s", diag.text);
    }
    fixture_finish(&fixture);
}

static void bounds_what_has_no_size_by_its_segment(void **state)
{
    struct fixture fixture;
    struct variable_query query = query_of("variables_untyped", VALUE_UINT64);
    struct variable variable;
    struct diag diag = {0};

    (void)state;
    fixture_init(&fixture, (const char *[]){"libvariables.so", NULL});
    query.offset = 1 << 20;
    assert_int_equal(variable_find(fixture.search, &query, &variable, &diag), -EINVAL);
    fixture_finish(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_variables_of_every_kind),
        cmocka_unit_test(finds_demangled_names),
        cmocka_unit_test(searches_in_load_order_and_where_it_is_told_to),
        cmocka_unit_test(prefers_the_copy_that_the_program_has),
        cmocka_unit_test(says_why_there_is_none),
        cmocka_unit_test(refuses_several_static_ones_of_one_name),
        cmocka_unit_test(refuses_what_lies_outside),
        cmocka_unit_test(bounds_what_has_no_size_by_its_segment),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    objects_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
