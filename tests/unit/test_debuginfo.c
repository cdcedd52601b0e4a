/* symbols/debuginfo/debuginfo.h: parameters by name. Objects are built by several compilers, see objects/meson.build;
 * their folder is the first argument.
 *
 * What is found is held against the machine: functions of params.h are called with known values, but a routine that
 * notes the registers and the stack stands in for them, and each location must have the value that was passed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "objects/params.h"
#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/elf/object.h"
#include "symbols/values/value.h"

/* What capture.S fills. */
struct captured {
    uint64_t integers[6];
    uint64_t vectors[8][2];
    uint64_t stack[40];
};

extern struct captured captured;
struct captured captured;
extern void capture(void);
static void (*volatile routine)(void) = capture; /* of which the compiler does not know the type */

static const char *objects_dir;

static const char *const c_objects[] = {"libparams-gcc.so",        "libparams-gcc-4.so", "libparams-gcc-O0.so",
                                        "libparams-gcc-lto.so",    "libparams-clang.so", "libparams-clang-4.so",
                                        "libparams-zlib.so",       "libparams-split.so", "libparams-dwz.so",
                                        "libparams-gcc-3.so",      "libparams-gcc-2.so", "libparams-gcc-types.so",
                                        "libparams-gcc-types-4.so"};

/* One object and its debug information. */
struct opened {
    const char *name;
    struct object *object;
    struct debuginfo *debuginfo;
};

static void opened_init_path(struct opened *opened, const char *path)
{
    struct diag diag = {0};

    opened->name = path;
    if (object_open(path, 0, false, &opened->object, &diag) < 0 ||
        debuginfo_open(opened->object, DEBUGINFO_ANY_SIZE, &opened->debuginfo, &diag) < 0)
        fail_msg("%s", diag.text);
}

static void opened_init(struct opened *opened, const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", objects_dir, name);
    opened_init_path(opened, path);
    opened->name = name;
}

static void opened_finish(struct opened *opened)
{
    debuginfo_close(opened->debuginfo);
    object_close(opened->object);
}

static uint64_t address_of(const struct opened *opened, const char *function)
{
    for (size_t i = 0; i < opened->object->symbol_count; i++) {
        if (strcmp(opened->object->symbols[i].name, function) == 0)
            return opened->object->symbols[i].address;
    }
    fail_msg("%s: no %s", opened->name, function);
    return 0;
}

static int locate(const struct opened *opened, const char *function, const char *param, const char *field,
                  enum value_type type, struct value_location *ret_location, struct diag *diag)
{
    const struct debuginfo_query query = {.param = param, .field = field, .type = type};

    struct debuginfo_found found;
    int result = debuginfo_locate(opened->debuginfo, address_of(opened, function), &query, &found, diag);

    if (result == 0)
        *ret_location = found.location;
    /* these functions are called by others: where the place says something, the convention says the same */
    if (result == 0 && found.evidence == DEBUGINFO_PLACED && found.has_convention &&
        memcmp(&found.location, &found.convention, sizeof(found.location)) != 0)
        fail_msg("%s: %s, %s: its place is not that of the convention", opened->name, function, param);
    return result;
}

/* The 8 bytes from `offset` on of a place; what lies behind the place is 0. */
static uint64_t read_place(const struct value_location *location, int64_t offset)
{
    uint8_t bytes[24] = {0};
    uint64_t word;

    if (location->place == VALUE_IN_VECTOR)
        memcpy(bytes, captured.vectors[location->number], 16);
    else if (location->number < VALUE_STACK_WORD_FIRST)
        memcpy(bytes, &captured.integers[location->number], 8);
    else
        memcpy(bytes, &captured.stack[location->number - VALUE_STACK_WORD_FIRST], 8);
    memcpy(&word, bytes + offset, sizeof(word));
    return word;
}

/* What the hot path will read: the value's own bytes, extended. Of a string: where it begins. */
static uint64_t read_value(const struct value_location *location)
{
    uint64_t word;
    unsigned unused = 64 - location->bytes * 8u;
    bool is_signed = location->type == VALUE_INT32 || location->type == VALUE_INT64;

    if (location->is_memory) {
        uint64_t from = read_place(location, 0) + (uint64_t)location->offset;

        if (location->string_bytes)
            return from;
        memcpy(&word, (const void *)from, sizeof(word));
    } else {
        word = read_place(location, location->offset);
    }
    if (is_signed)
        return (uint64_t)((int64_t)(word << unused) >> unused);
    return word << unused >> unused;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static uint64_t float_bits_of(float number)
{
    uint32_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static void expect(const struct opened *opened, const char *function, const char *param, const char *field,
                   enum value_type type, uint64_t value)
{
    struct value_location location;
    struct diag diag = {0};
    char text[VALUE_TEXT_BYTES];

    if (locate(opened, function, param, field, VALUE_VOID, &location, &diag) < 0)
        fail_msg("%s: %s: %s", opened->name, function, diag.text);
    if (location.type != type || read_value(&location) != value)
        fail_msg("%s: %s, %s.%s: %s, type %d is 0x%lx, not type %d, 0x%lx", opened->name, function, param,
                 field ? field : "", value_text(&location, text), location.type, read_value(&location), type, value);
}

static void expect_refused(const struct opened *opened, const char *function, const char *param, const char *field,
                           enum value_type type, const char *reason)
{
    struct value_location location = {.number = 99};
    struct diag diag = {0};

    if (locate(opened, function, param, field, type, &location, &diag) == 0)
        fail_msg("%s: %s: %s is not refused", opened->name, function, param);
    assert_int_equal(location.number, 99);
    if (!strstr(diag.text, reason) || !strstr(diag.text, param))
        fail_msg("%s: %s, %s: \"%s\" lacks \"%s\"", opened->name, function, param, diag.text, reason);
}

/* Calls with a function's own types, so that this test's compiler puts the arguments where the convention says. */
#define CALL(function, ...) ((void)((__typeof__(&(function)))(uintptr_t)routine)(__VA_ARGS__))

static void check_integers(const struct opened *opened)
{
    CALL(ints, -1, 2, -3, 4, true, -6, UINT64_MAX, -8, 9);
    expect(opened, "ints", "a", NULL, VALUE_INT32, UINT64_MAX);
    expect(opened, "ints", "b", NULL, VALUE_UINT32, 2);
    expect(opened, "ints", "c", NULL, VALUE_INT32, (uint64_t)-3);
    expect(opened, "ints", "d", NULL, VALUE_UINT32, 4);
    expect(opened, "ints", "e", NULL, VALUE_BOOL, 1);
    expect(opened, "ints", "f", NULL, VALUE_INT64, (uint64_t)-6);
    expect(opened, "ints", "g", NULL, VALUE_UINT64, UINT64_MAX);
    expect(opened, "ints", "h", NULL, VALUE_INT32, (uint64_t)-8);
    expect(opened, "ints", "i", NULL, VALUE_INT64, 9);
    expect_refused(opened, "ints", "j", NULL, VALUE_VOID, "it has a, b, c, d, e, f, g, h, i");
    expect_refused(opened, "ints", "a", "field", VALUE_VOID, "no struct");
    CALL(variadic, "format", 5);
    expect(opened, "variadic", "count", NULL, VALUE_INT32, 5);
}

static void check_floats(const struct opened *opened)
{
    CALL(doubles, 1, 2.5F, 3, 4, 5, 6, 7, 8, 9, 10, 11.5F);
    expect(opened, "doubles", "a", NULL, VALUE_DOUBLE, bits_of(1));
    expect(opened, "doubles", "b", NULL, VALUE_FLOAT, float_bits_of(2.5F));
    expect(opened, "doubles", "h", NULL, VALUE_DOUBLE, bits_of(8));
    expect(opened, "doubles", "i", NULL, VALUE_DOUBLE, bits_of(9));
    expect(opened, "doubles", "j", NULL, VALUE_INT32, 10);
    expect(opened, "doubles", "k", NULL, VALUE_FLOAT, float_bits_of(11.5F));
}

static void check_pointers(const struct opened *opened)
{
    char text[] = "text";
    static const unsigned char bytes[] = {1};

    CALL(strings, "a", "b", text, &bytes, bytes);
    expect(opened, "strings", "other", NULL, VALUE_CSTRING, (uintptr_t)text);
    expect(opened, "strings", "blob", NULL, VALUE_POINTER, (uintptr_t)&bytes);
    expect(opened, "strings", "bytes", NULL, VALUE_POINTER, (uintptr_t)bytes);
    expect(opened, "strings", "table", NULL, VALUE_CSTRING, captured.integers[0]);
    expect(opened, "strings", "name", NULL, VALUE_CSTRING, captured.integers[1]);
}

static void check_members(const struct opened *opened)
{
    struct request next = {.id = 2};
    struct request request = {.id = 77,
                              .method_len = -3,
                              .method = "GET",
                              .path = "/index",
                              .as_int = -5,
                              .deep = 200,
                              .deeper = -2,
                              .flag = 1,
                              .color = COLOR_BLUE,
                              .is_last = true,
                              .ratio = 0.5F,
                              .next = &next};
    const struct request *pointer = &request;

    CALL(requests, &request, &pointer, COLOR_BLUE);
    expect(opened, "requests", "color", NULL, VALUE_UINT32, COLOR_BLUE);
    expect(opened, "requests", "request", NULL, VALUE_POINTER, (uintptr_t)&request);
    expect(opened, "requests", "request", "id", VALUE_UINT32, 77);
    expect(opened, "requests", "request", "method_len", VALUE_INT32, (uint64_t)-3);
    expect(opened, "requests", "request", "method", VALUE_CSTRING, (uintptr_t)request.method);
    expect(opened, "requests", "request", "path", VALUE_CSTRING, (uintptr_t)request.path);
    expect(opened, "requests", "request", "as_int", VALUE_INT64, (uint64_t)-5);
    expect(opened, "requests", "request", "as_double", VALUE_DOUBLE, (uint64_t)-5);
    expect(opened, "requests", "request", "deep", VALUE_UINT32, 200);
    expect(opened, "requests", "request", "deeper", VALUE_INT32, (uint64_t)-2);
    expect(opened, "requests", "request", "color", VALUE_UINT32, COLOR_BLUE);
    expect(opened, "requests", "request", "is_last", VALUE_BOOL, 1);
    expect(opened, "requests", "request", "ratio", VALUE_FLOAT, float_bits_of(0.5F));
    expect(opened, "requests", "request", "next", VALUE_POINTER, (uintptr_t)&next);
    expect_refused(opened, "requests", "request", "flag", VALUE_VOID, "bit field");
    expect_refused(opened, "requests", "request", "words", VALUE_VOID, "not one of characters");
    expect_refused(opened, "requests", "request", "none", VALUE_VOID, "no member of that name; it has id, method_len");
    expect_refused(opened, "requests", "pointers", "id", VALUE_VOID, "no struct");
}

static void check_opaque(const struct opened *opened)
{
    struct value_location location;
    struct diag diag = {0};
    char text[VALUE_TEXT_BYTES];

    if (locate(opened, "opaques", "o", "inside", VALUE_VOID, &location, &diag) < 0)
        fail_msg("%s: %s", opened->name, diag.text);
    assert_string_equal(value_text(&location, text), "argument 1 -> offset 8, int32");
    expect_refused(opened, "opaques", "o", "none", VALUE_VOID,
                   "struct opaque has no member of that name; it has before");
    expect_refused(opened, "opaques", "u", "inside", VALUE_VOID, "struct unexplained is only declared");
}

static void check_results(const struct opened *opened)
{
    CALL(returns_triple, 5, 6);
    expect(opened, "returns_triple", "a", NULL, VALUE_INT32, 5);
    expect(opened, "returns_triple", "b", NULL, VALUE_DOUBLE, bits_of(6));
    CALL(returns_pair, 7, 8);
    expect(opened, "returns_pair", "a", NULL, VALUE_INT32, 7);
    CALL(returns_x87, 9);
    expect(opened, "returns_x87", "a", NULL, VALUE_INT32, 9);
    CALL(returns_struct_x87, 10);
    expect(opened, "returns_struct_x87", "a", NULL, VALUE_INT32, 10);
    CALL(returns_union_x87, 11);
    expect(opened, "returns_union_x87", "a", NULL, VALUE_INT32, 11);
    CALL(returns_complex_x87, 12);
    expect(opened, "returns_complex_x87", "a", NULL, VALUE_INT32, 12);
    CALL(returns_complex, 13);
    expect(opened, "returns_complex", "a", NULL, VALUE_INT32, 13);
}

static void check_structs(const struct opened *opened)
{
    CALL(pairs, 1, (struct pair){2, 3}, 4, (struct pair){5, 6}, (struct pair){7, 8}, 9);
    expect(opened, "pairs", "a", NULL, VALUE_INT32, 1);
    expect(opened, "pairs", "p", "first", VALUE_INT64, 2);
    expect(opened, "pairs", "p", "second", VALUE_INT64, 3);
    expect(opened, "pairs", "b", NULL, VALUE_INT32, 4);
    expect(opened, "pairs", "q", "second", VALUE_INT64, 6);
    expect(opened, "pairs", "r", "first", VALUE_INT64, 7);
    expect(opened, "pairs", "r", "second", VALUE_INT64, 8);
    expect(opened, "pairs", "c", NULL, VALUE_INT32, 9);
    expect_refused(opened, "pairs", "p", NULL, VALUE_VOID, "name one of its members");
    CALL(mixes, (struct mixed){1, 2.5F, 3}, 4, (struct floats){5, 6, 7}, 8);
    expect(opened, "mixes", "m", "number", VALUE_INT32, 1);
    expect(opened, "mixes", "m", "ratio", VALUE_FLOAT, float_bits_of(2.5F));
    expect(opened, "mixes", "m", "weight", VALUE_DOUBLE, bits_of(3));
    expect(opened, "mixes", "a", NULL, VALUE_INT32, 4);
    expect(opened, "mixes", "f", "y", VALUE_FLOAT, float_bits_of(6));
    expect(opened, "mixes", "f", "z", VALUE_FLOAT, float_bits_of(7));
    expect(opened, "mixes", "b", NULL, VALUE_DOUBLE, bits_of(8));
    CALL(triples, 1, (struct triple){2, 3, 4}, 5, 6);
    expect(opened, "triples", "t", "a", VALUE_INT64, 2);
    expect(opened, "triples", "t", "c", VALUE_INT64, 4);
    expect(opened, "triples", "b", NULL, VALUE_INT32, 5);
    CALL(packs, (struct packed){'c', 1234567}, 5);
    expect(opened, "packs", "p", "c", VALUE_INT32, 'c');
    expect(opened, "packs", "a", NULL, VALUE_INT32, 5);
    expect_refused(opened, "packs", "p", "value", VALUE_VOID, "across two");
    CALL(arrays, (struct arrayed){{1, 2}, {3, 4}}, 5, 6);
    expect(opened, "arrays", "a", NULL, VALUE_INT32, 5);
    expect(opened, "arrays", "b", NULL, VALUE_DOUBLE, bits_of(6));
    CALL(nameds, (struct named){"name", 5}, 6);
    expect(opened, "nameds", "n", "id", VALUE_INT64, 5);
    expect(opened, "nameds", "a", NULL, VALUE_INT32, 6);
    expect_refused(opened, "nameds", "n", "name", VALUE_VOID, "a string inside of a struct that is passed by value");
    CALL(packs_more, (struct packed_more){'c', 1234567, 'd'}, 5);
    expect(opened, "packs_more", "p", "d", VALUE_INT32, 'd');
    expect(opened, "packs_more", "a", NULL, VALUE_INT32, 5);
    CALL(bitses, (struct bits){1, 2, 3}, 4);
    expect(opened, "bitses", "b", "ratio", VALUE_FLOAT, float_bits_of(3));
    expect(opened, "bitses", "a", NULL, VALUE_INT32, 4);
    CALL(empties, (struct empty){}, 1, (struct empty){}, 2);
    expect(opened, "empties", "b", NULL, VALUE_INT32, 1);
    expect(opened, "empties", "d", NULL, VALUE_INT32, 2);
    CALL(eithers, (union either){.integer = 6}, 7);
    expect(opened, "eithers", "e", "integer", VALUE_INT32, 6);
    expect(opened, "eithers", "a", NULL, VALUE_INT32, 7);
}

static void check_large_numbers(const struct opened *opened)
{
    CALL(wides, 1, 2, 3, 4, 5);
    expect_refused(opened, "wides", "w", NULL, VALUE_VOID, "more than 8 bytes");
    expect(opened, "wides", "a", NULL, VALUE_INT32, 2);
    expect(opened, "wides", "b", NULL, VALUE_INT32, 5);
    CALL(struct_wides, (struct wide){1}, 2);
    expect(opened, "struct_wides", "a", NULL, VALUE_INT32, 2);
    CALL(x87s, 1, 2, 3, (struct x87){4}, 5, 6, 7, 8, 9, 10);
    expect_refused(opened, "x87s", "x", NULL, VALUE_VOID, "neither a float nor a double");
    expect(opened, "x87s", "b", NULL, VALUE_DOUBLE, bits_of(3));
    expect(opened, "x87s", "g", NULL, VALUE_INT32, 9);
    expect(opened, "x87s", "h", NULL, VALUE_INT32, 10);
    CALL(vectors, (vector4){1}, (struct holder){{1, 2}}, 3);
    expect(opened, "vectors", "a", NULL, VALUE_DOUBLE, bits_of(3));
    CALL(lanes, (union vector_first){.lanes = {1, 2, 3, 4}}, 5, (union lanes_first){.lanes = {6, 7, 8, 9}}, 10);
    expect(opened, "lanes", "a", NULL, VALUE_DOUBLE, bits_of(5));
    expect(opened, "lanes", "b", NULL, VALUE_DOUBLE, bits_of(10));
    CALL(fours, (union four_first){{1, 2, 3, 4}}, 5);
    expect(opened, "fours", "a", NULL, VALUE_DOUBLE, bits_of(5));
    CALL(quads, 1, 2);
    expect(opened, "quads", "a", NULL, VALUE_DOUBLE, bits_of(2));
    if (!strstr(opened->name, "clang")) {
        CALL(decimals, 1.0DL, 2.0DD, 3);
        expect(opened, "decimals", "a", NULL, VALUE_DOUBLE, bits_of(3));
    }
    CALL(complexes, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    expect(opened, "complexes", "e", NULL, VALUE_DOUBLE, bits_of(3));
    expect(opened, "complexes", "g", NULL, VALUE_INT32, 5);
    expect(opened, "complexes", "m", NULL, VALUE_INT32, 11);
}

static void check_stack(const struct opened *opened)
{
    CALL(aligneds, 1, 2, 3, 4, 5, 6, 7, (struct aligned){8}, 9);
    expect(opened, "aligneds", "g", NULL, VALUE_INT64, 7);
    /* before version 5 DWARF does not tell of the alignment, so the places decide */
    expect(opened, "aligneds", "h", "value", VALUE_INT32, 8);
    expect(opened, "aligneds", "i", NULL, VALUE_INT64, 9);
    if (!strstr(opened->name, "clang")) /* which says where it is from rsp on, in the function's frame */
        expect_refused(opened, "huges", "i", NULL, VALUE_VOID, "too far up the stack");
    expect_refused(opened, "long_names", "none", NULL, VALUE_VOID,
                   "it has the_first_parameter_with_a_very_long_name, the_second_parameter_with_a_very_long_name, "
                   "the_third_parameter_with_a_very_long_name, the_fourth_parameter_with_a_very_long_name...");
    expect_refused(opened, "open_endeds", "o", "text", VALUE_VOID, "text");
    CALL(tails, 1, 2, 3, 4, 5, 6, 7, (struct tail){8, 9}, 10);
    expect(opened, "tails", "t", "value", VALUE_INT64, 8);
    expect(opened, "tails", "i", NULL, VALUE_INT64, 10);
    CALL(odd_wides, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    expect(opened, "odd_wides", "g", NULL, VALUE_INT64, 7);
    CALL(pushed, 1, 2, 3, 4, 5, 6, 7, 8, (struct triple){9, 10, 11}, (double[]){12}, NULL);
    expect(opened, "pushed", "f", NULL, VALUE_INT32, 6);
    expect(opened, "pushed", "g", NULL, VALUE_DOUBLE, bits_of(7));
    expect(opened, "pushed", "h", NULL, VALUE_INT32, 8);
    expect(opened, "pushed", "t", "b", VALUE_INT64, 10);
    expect(opened, "pushed", "j", NULL, VALUE_POINTER, 0);
}

static void finds_c_parameters_where_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(c_objects) / sizeof(*c_objects); i++) {
        struct opened opened;

        opened_init(&opened, c_objects[i]);
        check_integers(&opened);
        check_floats(&opened);
        check_pointers(&opened);
        check_members(&opened);
        check_opaque(&opened);
        check_results(&opened);
        check_structs(&opened);
        check_large_numbers(&opened);
        check_stack(&opened);
        opened_finish(&opened);
    }
}

/* A parameter of a C++ function and where it must be; or, where there is no text, a part of the reason why not. */
struct cxx_case {
    const char *function;
    const char *param;
    const char *field;
    const char *text;
    const char *reason;
};

static void check_cxx(const char *name, const struct cxx_case *cases, size_t count)
{
    struct opened opened;

    opened_init(&opened, name);
    for (size_t i = 0; i < count; i++) {
        struct value_location location;
        struct diag diag = {0};
        char text[VALUE_TEXT_BYTES];
        int result = locate(&opened, cases[i].function, cases[i].param, cases[i].field, VALUE_VOID, &location, &diag);

        if (cases[i].reason)
            expect_refused(&opened, cases[i].function, cases[i].param, cases[i].field, VALUE_VOID, cases[i].reason);
        else if (result < 0)
            fail_msg("%s: %s: %s", name, cases[i].function, diag.text);
        else
            assert_string_equal(value_text(&location, text), cases[i].text);
    }
    opened_finish(&opened);
}

#define METHOD "_ZN7Derived6methodEi"

static void finds_cxx_parameters(void **state)
{
    static const struct cxx_case cases[] = {
        {METHOD, "this", NULL, "argument 1, pointer", NULL},
        {METHOD, "value", NULL, "argument 2, int32", NULL},
        {METHOD, "this", "base_value", "argument 1 -> offset 8, int32", NULL},
        {METHOD, "this", "other_value", "argument 1 -> offset 16, int64", NULL},
        {METHOD, "this", "own", "argument 1 -> offset 24, double", NULL},
        {METHOD, "this", "hidden", "argument 1 -> offset 32, int32", NULL},
        {METHOD, "this", "reference", "argument 1 -> offset 40, pointer", NULL},
        {METHOD, "this", "shared", NULL, "no member of that name"},
        {"_ZN7Derived5fixedEi", "value", NULL, "argument 1, int32", NULL},
        {"_ZN4TextC2EPKc", "this", NULL, "argument 1, pointer", NULL},
        {"_ZN4TextC2EPKc", "from", NULL, "argument 2, char *", NULL},
        {"by_reference", "number", NULL, "argument 1 -> offset 0, int32", NULL},
        {"by_reference", "plain", "second", "argument 2 -> offset 4, int32", NULL},
        {"by_reference", "plain", NULL, NULL, "it is a struct"},
        {"by_reference", "text", "length", "argument 3 -> offset 8, int32", NULL},
        {"by_reference", "string", NULL, "argument 4 -> offset 0, char *", NULL},
        {"by_value", "plain", "second", "argument 1, byte 4, int32", NULL},
        {"by_value", "plain", "first", "argument 1, int32", NULL},
        {"derived_fields", "derived", "base_value", "argument 1 -> offset 8, int32", NULL},
        {"_ZN7DiamondC1Ei", "value", NULL, "argument 2, int32", NULL},
        {"_ZN7DiamondC2Ei", "value", NULL, "argument 3, int32", NULL},
        {"null_pointers", "data", NULL, NULL, "no number, pointer or string"},
        {"null_pointers", "last", NULL, "argument 5, int32", NULL},
        {"members_on_stack", "g", NULL, "argument 7 (on the stack), int64", NULL},
        {"members_on_stack", "last", NULL, "argument 10 (on the stack), int64", NULL},
    };
    static const struct cxx_case by_reference[] = {
        {"_ZN7Derived4copyEi", "this", NULL, "argument 2, pointer", NULL},
        {"_ZN7Derived4copyEi", "value", NULL, "argument 3, int32", NULL},
        {"by_value", "text", "length", "argument 2 -> offset 8, int32", NULL},
        {"by_value", "level", NULL, "argument 3, uint8", NULL},
        {"by_value", "last", NULL, "argument 4, int32", NULL},
        {"by_copied", "copied", "value", "argument 1 -> offset 0, int32", NULL},
        {"by_copied", "box", "value", "argument 2 -> offset 0, int32", NULL},
        {"by_copied", "defaulted", "value", "argument 3, int32", NULL},
        {"by_copied", "last", NULL, "argument 4, int32", NULL},
        {"by_members", "nested", NULL, NULL, "it is a struct"},
        {"by_members", "last", NULL, "argument 4, int32", NULL},
        {"defaulted_alone", "last", NULL, "argument 2, int32", NULL},
    };
    /* DWARF 4 of gcc does not say which objects are passed by reference: their places at the entry do */
    static const struct cxx_case unsaid[] = {
        {"_ZN7Derived4copyEi", "value", NULL, "argument 3, int32", NULL},
        {"by_value", "text", "length", "argument 2 -> offset 8, int32", NULL},
        {"by_value", "last", NULL, "argument 4, int32", NULL},
        {"by_copied", "last", NULL, "argument 4, int32", NULL},
        {"by_members", "last", NULL, "argument 4, int32", NULL},
        {"defaulted_alone", "last", NULL, "argument 2, int32", NULL},
    };

    (void)state;
    check_cxx("libparams-cxx-gcc.so", cases, sizeof(cases) / sizeof(*cases));
    check_cxx("libparams-cxx-gcc-4.so", cases, sizeof(cases) / sizeof(*cases));
    check_cxx("libparams-cxx-clang.so", cases, sizeof(cases) / sizeof(*cases));
    check_cxx("libparams-cxx-gcc.so", by_reference, sizeof(by_reference) / sizeof(*by_reference));
    check_cxx("libparams-cxx-clang.so", by_reference, sizeof(by_reference) / sizeof(*by_reference));
    check_cxx("libparams-cxx-gcc-4.so", unsaid, sizeof(unsaid) / sizeof(*unsaid));
}

/* By hand, since compilers of other languages are not at hand. */
static void says_whose_convention_a_function_has(void **state)
{
    static const struct {
        const char *function;
        bool is_c;
        bool has_own_convention;
    } cases[] = {
        {"in_c11", true, false},
        {"in_c17", true, false},
        {"in_cxx20", true, false},
        {"in_objc", true, false},
        {"in_c_by_another_convention", true, true},
        {"in_rust", false, false},
        {"in_ada", false, false},
        {"in_an_unknown_language", false, false},
    };
    struct opened opened;

    (void)state;
    opened_init(&opened, "liblanguages.so");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct debuginfo_function function;

        assert_int_equal(debuginfo_function(opened.debuginfo, address_of(&opened, cases[i].function), &function), 0);
        if (function.is_c != cases[i].is_c || function.has_own_convention != cases[i].has_own_convention)
            fail_msg("%s: C is %d, a convention of its own %d", cases[i].function, function.is_c,
                     function.has_own_convention);
    }
    opened_finish(&opened);
}

static void takes_the_type_of_the_manifest_if_it_agrees(void **state)
{
    static const struct {
        const char *function;
        const char *param;
        const char *field;
        enum value_type type;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"strings", "blob", NULL, VALUE_CSTRING, "argument 4, char *"},
        {"strings", "bytes", NULL, VALUE_CSTRING, "argument 5, char *"},
        {"strings", "table", NULL, VALUE_POINTER, "argument 1, pointer"},
        {"strings", "table", NULL, VALUE_UINT64, "argument 1, uint64"},
        {"strings", "table", NULL, VALUE_UINT32, NULL},
        {"strings", "table", NULL, VALUE_DOUBLE, NULL},
        {"ints", "a", NULL, VALUE_UINT32, "argument 1, uint32"},
        {"ints", "a", NULL, VALUE_BOOL, "argument 1, bool"},
        {"ints", "a", NULL, VALUE_CSTRING, NULL},
        {"ints", "a", NULL, VALUE_FLOAT, NULL},
        {"ints", "f", NULL, VALUE_INT32, NULL},
        {"ints", "c", NULL, VALUE_INT64, "argument 3, int16"},
        {"doubles", "a", NULL, VALUE_DOUBLE, "floating-point argument 1, double"},
        {"doubles", "a", NULL, VALUE_FLOAT, NULL},
        {"requests", "request", "method", VALUE_CSTRING, "argument 1 -> offset 6, char[10]"},
        {"requests", "request", "method", VALUE_POINTER, NULL},
    };
    struct opened opened;

    (void)state;
    opened_init(&opened, "libparams-gcc.so");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct value_location location;
        struct diag diag = {0};
        char text[VALUE_TEXT_BYTES];

        if (!cases[i].text) {
            expect_refused(&opened, cases[i].function, cases[i].param, cases[i].field, cases[i].type,
                           "\"type\" does not agree");
            continue;
        }
        if (locate(&opened, cases[i].function, cases[i].param, cases[i].field, cases[i].type, &location, &diag) < 0)
            fail_msg("%s: %s", cases[i].function, diag.text);
        assert_string_equal(value_text(&location, text), cases[i].text);
    }
    opened_finish(&opened);
}

static void says_what_would_help_where_there_is_no_dwarf(void **state)
{
    static const char *const names[] = {"libparams-stripped.so", "libparams-strange.so"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct object *object;
        struct debuginfo *debuginfo;
        struct diag diag = {0};
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", objects_dir, names[i]);
        assert_int_equal(object_open(path, 0, false, &object, &diag), 0);
        assert_int_equal(debuginfo_open(object, DEBUGINFO_ANY_SIZE, &debuginfo, &diag), -ENOENT);
        assert_non_null(strstr(diag.text, names[i]));
        assert_non_null(strstr(diag.text, object->build_id));
        assert_non_null(strstr(diag.text, "-dbgsym"));
        assert_non_null(strstr(diag.text, "\"arg\""));
        object_close(object);
    }
}

static void needs_the_file_that_dwz_made(void **state)
{
    struct object *object;
    struct debuginfo *debuginfo;
    struct diag diag = {0};
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s/libparams-dwz-alone.so", objects_dir);
    assert_int_equal(object_open(path, 0, false, &object, &diag), 0);
    assert_int_equal(debuginfo_open(object, DEBUGINFO_ANY_SIZE, &debuginfo, &diag), -ENOENT);
    assert_non_null(strstr(diag.text, "not-there.dwz"));
    object_close(object);
}

static void says_that_split_dwarf_is_not_read(void **state)
{
    struct opened opened;

    (void)state;
    opened_init(&opened, "libparams-dwo.so");
    expect_refused(&opened, "ints", "a", NULL, VALUE_VOID, "-gsplit-dwarf");
    opened_finish(&opened);
}

static size_t places_of(const struct opened *opened, const char *function)
{
    struct debuginfo_inlined inlined = {.address = address_of(opened, function), .places = 99};

    assert_int_equal(debuginfo_count_inlined(opened->debuginfo, DEBUGINFO_ANY_SIZE, &inlined, 1), 0);
    return inlined.places;
}

static void counts_inlined_copies(void **state)
{
    static const char *const names[] = {"libparams-gcc.so", "libparams-gcc-4.so", "libparams-clang.so",
                                        "libparams-split.so", "libparams-dwz.so"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct opened opened;

        opened_init(&opened, names[i]);
        if (places_of(&opened, "often") != 3 || places_of(&opened, "ints") != 0 || places_of(&opened, "shared") != 1)
            fail_msg("%s: often %zu, ints %zu, shared %zu", names[i], places_of(&opened, "often"),
                     places_of(&opened, "ints"), places_of(&opened, "shared"));
        opened_finish(&opened);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_c_parameters_where_they_are),
        cmocka_unit_test(finds_cxx_parameters),
        cmocka_unit_test(says_whose_convention_a_function_has),
        cmocka_unit_test(takes_the_type_of_the_manifest_if_it_agrees),
        cmocka_unit_test(says_what_would_help_where_there_is_no_dwarf),
        cmocka_unit_test(needs_the_file_that_dwz_made),
        cmocka_unit_test(says_that_split_dwarf_is_not_read),
        cmocka_unit_test(counts_inlined_copies),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-OBJECTS\n", argv[0]);
        return 2;
    }
    objects_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
