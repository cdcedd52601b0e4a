/* symbols/resolve/resolution.h: what manifests mean in real objects. They are built beside this test, see
 * objects/meson.build; their folder is the first argument. */
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
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/reason.h"
#include "symbols/resolve/resolution.h"
#include "symbols/values/value.h"

enum {
    OBJECTS_MAX = 4,
    LOAD_BIAS = 0x10000000, /* of the first object; twice that of the second, ... */
};

static const char *objects_dir;

/* A resolved manifest and everything that it refers to. */
struct resolved {
    struct manifest *manifest;
    struct object *objects[OBJECTS_MAX];
    size_t object_count;
    struct resolution resolution;
};

static void resolved_init(struct resolved *resolved, const char *functions, const char *const *objects,
                          const struct resolve_options *options)
{
    struct diag diag = {0};
    char text[4096];

    memset(resolved, 0, sizeof(*resolved));
    snprintf(text, sizeof(text), "{\"version\": 1, \"functions\": [%s]}", functions);
    if (manifest_parse(text, strlen(text), "test", &resolved->manifest, &diag) < 0)
        fail_msg("%s", diag.text);
    for (; objects[resolved->object_count]; resolved->object_count++) {
        size_t i = resolved->object_count;
        char path[4096];

        snprintf(path, sizeof(path), "%s%s%s", objects[i][0] == '/' ? "" : objects_dir, objects[i][0] == '/' ? "" : "/",
                 objects[i]);
        if (object_open(path, LOAD_BIAS * (i + 1), i == 0, &resolved->objects[i], &diag) < 0)
            fail_msg("%s", diag.text);
    }
    if (resolve_manifest(resolved->manifest, resolved->objects, resolved->object_count, options, &resolved->resolution,
                         &diag) < 0)
        fail_msg("%s", diag.text);
}

static void resolved_finish(struct resolved *resolved)
{
    resolution_finish(&resolved->resolution);
    for (size_t i = 0; i < resolved->object_count; i++)
        object_close(resolved->objects[i]);
    manifest_destroy(resolved->manifest);
}

static const struct resolve_options plain_options;

/* One line a target: "NAME OBJECT STATE [=EARLIER]", lines joined by "|"; sorted as the targets are. */
static void describe(const struct resolved *resolved, char *text, size_t bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < resolved->resolution.count && used < bytes; i++) {
        const struct resolve_target *target = &resolved->resolution.targets[i];
        static const char *const modes[] = {"refused", "count", "full"};
        const char *state = target->state == RESOLVE_MISSING   ? "missing"
                            : target->state == RESOLVE_PENDING ? "pending"
                                                               : modes[target->plan.mode];

        if (target->state == RESOLVE_FOUND && target->plan.mode != PLAN_REFUSED && target->plan.window_bytes)
            assert_int_equal(target->plan.address - target->plan.skip_bytes,
                             target->address + target->object->load_bias);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s %s %s", i ? "|" : "", target->name,
                                 target->object ? target->object->base_name : "-", state);
        if (target->same_as != SIZE_MAX && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, " =%zu", target->same_as);
    }
}

struct resolve_case {
    const char *functions;
    const char *expected;
    const char *reason; /* a part of the first target's, or NULL */
};

static void check_cases(const struct resolve_case *cases, size_t count, const char *const *objects)
{
    for (size_t i = 0; i < count; i++) {
        struct resolved resolved;
        char text[4096];
        const char *reason;

        resolved_init(&resolved, cases[i].functions, objects, &plain_options);
        describe(&resolved, text, sizeof(text));
        reason = resolved.resolution.count ? resolved.resolution.targets[0].reason : "";
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("%s\n  gives    %s\n  expected %s", cases[i].functions, text, cases[i].expected);
        if (cases[i].reason && !strstr(reason, cases[i].reason))
            fail_msg("%s: reason \"%s\" lacks \"%s\"", cases[i].functions, reason, cases[i].reason);
        if (!cases[i].reason && reason[0])
            fail_msg("%s: has a reason: %s", cases[i].functions, reason);
        resolved_finish(&resolved);
    }
}

#define CHECK_CASES(cases, ...)                                                                                        \
    check_cases(cases, sizeof(cases) / sizeof(*(cases)), (const char *const[]){__VA_ARGS__, NULL})

static void finds_clones(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"plain\"}", "plain libnames.so full", NULL},
        {"{\"symbol\": \"split\"}", "split libnames.so full", "split.part.0 are not counted"},
        {"{\"symbol\": \"split.part.0\"}", "split.part.0 libnames.so full", NULL},
        {"{\"symbol\": \"split.cold\"}", "split.cold libnames.so refused", "jumped to, not called"},
        {"{\"symbol\": \"leftover\"}", "leftover - missing", "only leftover.part.0 is left of it"},
        {"{\"symbol\": \"fixed\"}", "fixed libnames.so full", "exists only as fixed.constprop.0"},
        {"{\"symbol\": \"fixed.constprop.0\"}", "fixed libnames.so full", "exists only as fixed.constprop.0"},
        {"{\"symbol\": \"narrowed\"}",
         "narrowed@narrowed.isra.0 libnames.so full|narrowed@narrowed.isra.1 libnames.so full", "narrowed.isra.0"},
        {"{\"symbol\": \"kept\"}", "kept libnames.so full", "its clone kept.constprop.0 are not counted"},
        {"{\"symbol\": \"merged\"}", "merged libnames.so full", NULL},
        {"{\"symbol\": \"named\"}", "named - missing", "no function of that name in libnames.so"},
        {"{\"symbol\": \"named.v2\"}", "named.v2 libnames.so full", NULL},
        {"{\"symbol\": \"ns::clone\"}", "ns::clone(int) libnames.so full", "exists only as"},
        {"{\"symbol\": \"s*it\"}", "split libnames.so full", "split.part.0"},
        {"{\"symbol\": \"split*\"}", "split libnames.so full", "split.part.0"},
        {"{\"symbol\": \"split.p*\"}", "split.part.0 libnames.so full", NULL},
        {"{\"symbol\": \"fix*\"}", "fixed libnames.so full", "exists only as"},
        {"{\"symbol\": \"kep*\"}", "kept libnames.so full", "kept.constprop.0"},
        {"{\"symbol\": \"left*\"}", "left* - missing", "no function matches in libnames.so"},
        {"{\"symbol\": \"untyped\"}", "untyped libnames.so full", NULL},
        {"{\"symbol\": \"outer\"}", "outer libnames.so refused", ""},
        {"{\"symbol\": \"remains\"}", "remains - missing", "only remains.part.0 is left of it"},
        {"{\"symbol\": \"same\"}", "same libnames.so full", NULL},
        {"{\"symbol\": \"mine\"}", "mine libnames.so count", "may return more than once"},
        {"{\"symbol\": \"early\"}", "early libnames.so count", "may return more than once"},
        {"{\"symbol\": \"quiet\"}", "quiet libnames.so full", NULL},
        {"{\"symbol\": \"noisy\"}", "noisy libnames.so count", "uses the register rbx"},
        {"{\"symbol\": \"jumped\"}", "jumped libnames.so refused", "code jumps into the bytes"},
        {"{\"symbol\": \"jumper\"}", "jumper libnames.so full", NULL},
        {"{\"symbol\": \"again\"}", "again libnames.so count", "jumps back to its own entry"},
        {"{\"symbol\": \"whole\"}", "whole libnames.so full", NULL},
        {"{\"symbol\": \"within\"}", "within libnames.so refused", "a label inside of another function"},
        {"{\"symbol\": \"behind\"}", "behind libnames.so full", NULL},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so");
}

static void finds_rust_names(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"core::fmt::Write::write_str::h0123456789abcdef\"}",
         "core::fmt::Write::write_str libnames.so full", NULL},
        {"{\"symbol\": \"core::fmt::Write::write_str\"}",
         "core::fmt::Write::write_str@_ZN4core3fmt5Write9write_str17h0123456789abcdefE libnames.so full|"
         "core::fmt::Write::write_str@_ZN4core3fmt5Write9write_str17hfedcba9876543210E libnames.so full",
         NULL},
        {"{\"symbol\": \"core::fmt::Write::write_str::h1111111111111111\"}",
         "core::fmt::Write::write_str::h1111111111111111 - missing", "no function of that name"},
        {"{\"symbol\": \"alloc::drop_in_place<std::rt::lang_start>\"}",
         "alloc::drop_in_place<std::rt::lang_start> libnames.so full", NULL},
        {"{\"symbol\": \"mycrate::run\"}", "mycrate::run libnames.so full", NULL},
        {"{\"symbol\": \"mycrate::_run\"}", "mycrate::_run libnames.so full", NULL},
        {"{\"symbol\": \"mycrate::*\"}", "mycrate::run libnames.so full|mycrate::_run libnames.so full", NULL},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so");
}

static void finds_cxx_names(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"run\"}", "run liboverloads.so full", NULL}, /* an ELF name goes before demangled ones */
        {"{\"symbol\": \"global_run\"}", "global_run(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"_Z10global_runi\"}", "global_run(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::run(int)\"}", "ns::Worker::run(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::run( int,char const *)\"}",
         "ns::Worker::run(int, char const*) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::run\"}",
         "ns::Worker::run(int) liboverloads.so full|ns::Worker::run(int, char const*) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::run\", \"name\": \"run\"}",
         "run@ns::Worker::run(int) liboverloads.so full|run@ns::Worker::run(int, char const*) liboverloads.so full",
         NULL},
        {"{\"symbol\": \"ns::Worker::Worker\"}", "ns::Worker::Worker(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::~Worker\"}", "ns::Worker::~Worker() liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::twice<int>\"}", "int ns::twice<int>(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::twice<int>(int)\"}", "int ns::twice<int>(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"int ns::twice<int>(int)\"}", "int ns::twice<int>(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::twice*\"}",
         "int ns::twice<int>(int) liboverloads.so full|long ns::twice<long>(long) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::twice<l*>\"}", "long ns::twice<long>(long) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::(anonymous namespace)::hidden\"}",
         "ns::(anonymous namespace)::hidden(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::Worker::operator*\"}", "ns::Worker::operator*(int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::*::operator[*\"}", "ns::Worker::operator[](int) liboverloads.so full", NULL},
        {"{\"symbol\": \"ns::*::run\"}",
         "ns::Worker::run(int) liboverloads.so full|ns::Worker::run(int, char const*) liboverloads.so full", NULL},
        {"{\"symbol\": \"Worker::run\"}", "Worker::run - missing", "no function of that name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        /* an open bracket is an error of the manifest, so that case is for resolve_matches below */
        if (!strstr(cases[i].functions, "operator[*"))
            check_cases(&cases[i], 1, (const char *const[]){"liboverloads.so", NULL});
    }
}

static void finds_aliases_duplicates_and_versions(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"shapes_first\"}, {\"symbol\": \"shapes_alias\"}",
         "shapes_first libshapes.so full|shapes_alias libshapes.so full =0", NULL},
        {"{\"symbol\": \"shapes_first\"}, {\"symbol\": \"shapes_first\", \"name\": \"again\"}",
         "shapes_first libshapes.so full|again libshapes.so full =0", NULL},
        {"{\"symbol\": \"shapes_first\", \"mode\": \"count\"}, {\"symbol\": \"shapes_alias\"}",
         "shapes_first libshapes.so full|shapes_alias libshapes.so full =0", "timed, since another entry asks for it"},
        {"{\"symbol\": \"shapes_first\"}, {\"symbol\": \"shapes_alias\", \"mode\": \"count\"}",
         "shapes_first libshapes.so full|shapes_alias libshapes.so full =0", NULL},
        {"{\"symbol\": \"shapes_first\", \"mode\": \"count\"}, {\"symbol\": \"shapes_alias\", \"mode\": \"count\"}",
         "shapes_first libshapes.so count|shapes_alias libshapes.so count =0", NULL},
        {"{\"symbol\": \"shapes_f*\"}, {\"symbol\": \"shapes_first\"}, {\"symbol\": \"shapes_[as]*s\"}",
         "shapes_first libshapes.so full|shapes_alias libshapes.so full =0", NULL},
        {"{\"symbol\": \"helper\"}", "helper@shapes.c libshapes.so full|helper@shapes_more.c libshapes.so full", NULL},
        {"{\"symbol\": \"shapes_api\"}", "shapes_api@SHAPES_1 libshapes.so full|shapes_api libshapes.so full", NULL},
        {"{\"symbol\": \"shapes_api@SHAPES_1\"}", "shapes_api libshapes.so full", NULL},
        {"{\"symbol\": \"shapes_api@@SHAPES_2\"}", "shapes_api libshapes.so full", NULL},
        {"{\"symbol\": \"shapes_api@SHAPES_3\"}", "shapes_api@SHAPES_3 - missing", "no function of that name"},
        {"{\"symbol\": \"shapes_chosen\"}", "shapes_chosen libshapes.so full", "an IFUNC"},
    };

    (void)state;
    CHECK_CASES(cases, "libshapes.so");
}

/* The manifest refuses entries that are written alike; these are found to be the same only here. */
static void refuses_the_same_series_twice(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"global_run\"}, {\"symbol\": \"_Z10global_runi\", \"labels\": {\"a\": \"b\"}}",
         "global_run(int) liboverloads.so full|global_run(int) liboverloads.so full =0", NULL},
        {"{\"symbol\": \"global_run\"}, {\"symbol\": \"_Z10global_runi\", \"kind\": \"operation\"}",
         "global_run(int) liboverloads.so full|global_run(int) liboverloads.so full =0", NULL},
        {"{\"symbol\": \"global_run\"}, {\"symbol\": \"_Z10global_runi\", \"name\": \"n\"}",
         "global_run(int) liboverloads.so full|n liboverloads.so full =0", NULL},
    };
    struct resolved resolved;
    char text[256];

    (void)state;
    CHECK_CASES(cases, "liboverloads.so");
    resolved_init(&resolved, "{\"symbol\": \"global_run\"},\n{\"symbol\": \"_Z10global_runi\"}",
                  (const char *const[]){"liboverloads.so", NULL}, &plain_options);
    describe(&resolved, text, sizeof(text));
    assert_string_equal(text, "global_run(int) liboverloads.so full|global_run(int) liboverloads.so refused");
    assert_non_null(strstr(resolved.resolution.targets[1].reason, "line 1 of the manifest counts it already"));
    resolved_finish(&resolved);
}

static void searches_objects_in_order(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"shapes_first\"}", "shapes_first libshapes.so full", NULL},
        {"{\"symbol\": \"shapes_first\", \"object\": \"libstripped*\"}", "shapes_first libstripped.so full", NULL},
        {"{\"symbol\": \"shapes_first\", \"object\": \"libshapes.so.1\"}",
         "shapes_first libshapes.so full|shapes_first libstripped.so full", NULL}, /* both have the soname */
        {"{\"symbol\": \"shapes_fir*\"}", "shapes_first libshapes.so full", NULL},
        {"{\"symbol\": \"plain\", \"object\": \"libshapes.so\"}", "plain - missing",
         "no function of that name in libshapes.so"},
        {"{\"symbol\": \"plain\", \"object\": \"liblater.so*\"}", "plain - pending", "liblater.so* is not loaded"},
        {"{\"symbol\": \"absent\"}", "absent - missing", "in libnames.so or its 2 libraries"},
        {"{\"symbol\": \"absent\", \"name\": \"n\"}", "n - missing", "no function"},
        {"{\"symbol\": \"plain\"}, {\"symbol\": \"absent\"}, {\"symbol\": \"split\"}",
         "plain libnames.so full|absent - missing|split libnames.so full", NULL},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so", "libshapes.so", "libstripped.so");
}

static void says_that_a_program_is_stripped(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"absent\"}", "absent - missing", "libstrange.so is stripped"},
    };

    (void)state;
    CHECK_CASES(cases, "libstrange.so");
}

static void tracks_nothing_in_the_loader(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"__tls_get_addr\"}", "__tls_get_addr ld-linux-x86-64.so.2 refused", "the dynamic loader"},
        /* it has one too, but is asked last */
        {"{\"symbol\": \"_dl_mcount\"}", "_dl_mcount libnames.so full", NULL},
        {"{\"symbol\": \"_dl_mcoun*\"}", "_dl_mcount libnames.so full", NULL},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so", "/lib64/ld-linux-x86-64.so.2");
}

/* An ifunc resolver's stand-in: `context` is the address that it answers. */
static uint64_t answer(const struct object *object, const struct symbol *symbol, void *context)
{
    (void)object;
    assert_true(symbol->is_ifunc);
    return *(const uint64_t *)context;
}

static uint64_t address_of(const struct object *object, const char *name)
{
    for (size_t i = 0; i < object->symbol_count; i++) {
        if (strcmp(object->symbols[i].name, name) == 0)
            return object->symbols[i].address;
    }
    fail_msg("no %s", name);
    return 0;
}

static void follows_ifuncs(void **state)
{
    const char *const objects[] = {"libshapes.so", NULL};
    uint64_t picked = 0;
    struct resolve_options options = {.ifunc = answer, .context = &picked};
    struct resolved resolved;

    (void)state;
    resolved_init(&resolved, "{\"symbol\": \"shapes_chosen\"}", objects, &options);
    assert_int_equal(resolved.resolution.targets[0].plan.mode, PLAN_REFUSED);
    assert_non_null(strstr(resolved.resolution.targets[0].reason, "unknown"));
    picked = address_of(resolved.objects[0], "shapes_pick_this") + LOAD_BIAS;
    resolved_finish(&resolved);
    resolved_init(&resolved, "{\"symbol\": \"shapes_chosen\"}, {\"symbol\": \"shapes_pick_this\"}", objects, &options);
    assert_int_equal(resolved.resolution.targets[0].address, picked - LOAD_BIAS);
    assert_int_equal(resolved.resolution.targets[0].plan.mode, PLAN_FULL);
    assert_true(resolved.resolution.targets[0].size > 0);
    assert_int_equal(resolved.resolution.targets[1].same_as, 0);
    resolved_finish(&resolved);
    picked = LOAD_BIAS + 4;
    resolved_init(&resolved, "{\"symbol\": \"shapes_chosen\"}", objects, &options);
    assert_non_null(strstr(resolved.resolution.targets[0].reason, "is not in libshapes.so"));
    resolved_finish(&resolved);
}

/* `full` means timed or not at all, and must not take the hook away from an alias that is content with a count. */
static void keeps_to_the_mode(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"symbol\": \"setjmp\", \"mode\": \"full\"}", "setjmp libc.so.6 refused", "the manifest says \"full\""},
        {"{\"symbol\": \"setjmp\", \"mode\": \"full\"}, {\"symbol\": \"setjmp\", \"name\": \"n\"}, {\"symbol\": "
         "\"setjmp\", \"name\": \"m\"}",
         "setjmp libc.so.6 refused|n libc.so.6 count|m libc.so.6 count =1", "full"},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so", "/lib/x86_64-linux-gnu/libc.so.6");
}

/* An object's build id, and a function's address in it. */
struct known {
    char build_id[64];
    uint64_t address;
};

static void known_init(struct known *known, const char *name, const char *function)
{
    struct object *object;
    struct diag diag = {0};
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", objects_dir, name);
    if (object_open(path, 0, false, &object, &diag) < 0)
        fail_msg("%s", diag.text);
    snprintf(known->build_id, sizeof(known->build_id), "%s", object->build_id);
    known->address = address_of(object, function);
    object_close(object);
}

/* Resolves one entry that is given by offset, beside `more` entries, and compares. */
static void check_offset(const char *object, const struct known *known, uint64_t offset, const char *more,
                         const char *expected, const char *reason)
{
    struct resolved resolved;
    char functions[512];
    char text[512];

    snprintf(functions, sizeof(functions), "{\"build_id\": \"%s\", \"offset\": \"0x%lx\"}%s", known->build_id, offset,
             more);
    resolved_init(&resolved, functions, (const char *const[]){"libnames.so", object, NULL}, &plain_options);
    describe(&resolved, text, sizeof(text));
    assert_string_equal(text, expected);
    if (!strstr(resolved.resolution.targets[0].reason, reason))
        fail_msg("\"%s\" lacks \"%s\"", resolved.resolution.targets[0].reason, reason);
    if (resolved.resolution.targets[0].plan.mode == PLAN_FULL)
        assert_true(resolved.resolution.targets[0].size > 0);
    resolved_finish(&resolved);
}

static void finds_places_by_build_id_and_offset(void **state)
{
    struct known known;
    char expected[128];
    char reason[128];

    (void)state;
    known_init(&known, "libshapes.so", "helper"); /* static: gone where the symbols are */
    check_offset("libshapes.so", &known, known.address, "", "helper libshapes.so full", "");
    check_offset("libshapes.so", &known, known.address, ", {\"symbol\": \"help*\"}",
                 "helper@shapes.c libshapes.so full|helper@shapes_more.c libshapes.so full", "");
    snprintf(reason, sizeof(reason), "is inside of helper, which begins at 0x%lx", known.address);
    snprintf(expected, sizeof(expected), "0x%lx libshapes.so refused", known.address + 1);
    check_offset("libshapes.so", &known, known.address + 1, "", expected, reason);
    check_offset("libshapes.so", &known, 0x10, "", "0x10 libshapes.so refused", "is not in the code of libshapes.so");
    snprintf(known.build_id, sizeof(known.build_id), "00112233");
    check_offset("libshapes.so", &known, 0x10, "", "0x10 - missing",
                 "no object with build id 00112233 is loaded; libnames.so has ");
}

static void finds_places_in_stripped_objects(void **state)
{
    struct known known;
    char expected[128];
    char reason[128];

    (void)state;
    known_init(&known, "libparams-gcc.so", "often"); /* static: nothing but .eh_frame still knows it */
    snprintf(expected, sizeof(expected), "0x%lx libparams-stripped.so full", known.address);
    check_offset("libparams-stripped.so", &known, known.address, "", expected, "");
    snprintf(expected, sizeof(expected), "0x%lx libparams-stripped.so refused", known.address + 4);
    snprintf(reason, sizeof(reason), "inside of a function that begins at 0x%lx", known.address);
    check_offset("libparams-stripped.so", &known, known.address + 4, "", expected, reason);
}

static void names_a_place_that_is_missing(void **state)
{
    static const struct resolve_case cases[] = {
        {"{\"build_id\": \"00112233\", \"offset\": \"0x10\"}", "0x10 - missing", "libnames.so has "},
        {"{\"build_id\": \"00112233\", \"offset\": \"0x10\", \"name\": \"n\"}", "n - missing", "libnames.so has "},
    };

    (void)state;
    CHECK_CASES(cases, "libnames.so", "libshapes.so");
}

/* The values of the first target, joined by "|". */
static void check_values(const char *functions, const char *more, const char *object, const char *expected,
                         const char *reason)
{
    struct resolved resolved;
    char text[512] = "";
    char entries[1024];
    const struct resolve_target *target;

    snprintf(entries, sizeof(entries), "%s]%s, \"executables\": [", functions, more);
    resolved_init(&resolved, entries, (const char *const[]){object, NULL}, &plain_options);
    target = &resolved.resolution.targets[0];
    for (size_t i = 0; i < target->value_count; i++) {
        char value[VALUE_TEXT_BYTES];

        strcat(text, i ? "|" : "");
        strcat(text, target->values[i].type == VALUE_VOID ? "none" : value_text(&target->values[i], value));
    }
    if (target->plan.mode == PLAN_REFUSED)
        assert_int_equal(target->value_count, 0);
    if (strcmp(text, expected) != 0 || !strstr(target->reason, reason))
        fail_msg("%s: \"%s\" (%s), expected \"%s\" (%s)", functions, text, target->reason, expected, reason);
    resolved_finish(&resolved);
}

#define LABEL(function, label, value) "{\"symbol\": \"" function "\", \"labels\": {\"" label "\": {" value "}}}"

static void finds_the_values_of_labels_items_and_gauges(void **state)
{
    static const char gauges[] = ", \"resources\": [{\"name\": \"r\", \"in_use\": {\"function\": \"ints\", \"param\": "
                                 "\"g\"}, \"limit\": {\"function\": \"ints\", \"param\": \"none\"}}]";

    (void)state;
    check_values(LABEL("ints", "a", "\"arg\": 7, \"type\": \"uint64\""), "", "libparams-gcc.so",
                 "argument 7 (on the stack), uint64", "");
    check_values(LABEL("ints", "a", "\"param\": \"c\""), "", "libparams-gcc.so", "argument 3, int16", "");
    check_values(LABEL("doubles", "a", "\"farg\": 8"), "", "libparams-gcc.so", "floating-point argument 8, double", "");
    check_values(LABEL("doubles", "a", "\"farg\": 9"), "", "libparams-gcc.so", "argument 7 (on the stack), double", "");
    check_values("{\"symbol\": \"ints\", \"returns\": \"int\", \"kind\": \"worker\", \"items\": {\"param\": \"i\"}, "
                 "\"labels\": {\"b\": {\"ret\": true}, \"a\": {\"param\": \"e\"}}}",
                 "", "libparams-gcc.so", "argument 5, bool|result, int32|argument 9 (on the stack), int64", "");
    check_values(LABEL("requests", "a", "\"param\": \"request\", \"field\": \"method\""), "", "libparams-gcc.so",
                 "argument 1 -> offset 6, char[10]", "");
    check_values("{\"symbol\": \"strings\"}",
                 ", \"resources\": [{\"name\": \"r\", \"in_use\": {\"function\": \"strings\", \"param\": \"table\"}}]",
                 "libparams-gcc.so", "none", "resource \"r\": a gauge is no string");
    check_values("{\"symbol\": \"ints\"}", gauges, "libparams-gcc.so", "argument 7 (on the stack), uint64|none",
                 "resource \"r\": parameter \"none\": the function has no parameter of that name");
}

static void refuses_targets_whose_values_cannot_be_found(void **state)
{
    (void)state;
    check_values(LABEL("ints", "a", "\"param\": \"z\""), "", "libparams-gcc.so", "",
                 "label \"a\": parameter \"z\": the function has no parameter of that name; it has a, b, c");
    check_values(LABEL("ints", "a", "\"param\": \"a\""), "", "libparams-stripped.so", "",
                 "no debug information for libparams-stripped.so (build id ");
    check_values("{\"symbol\": \"doubles\", \"kind\": \"worker\", \"items\": {\"param\": \"a\"}}", "",
                 "libparams-gcc.so", "", "items: parameter \"a\" is no integer");
    check_values("{\"symbol\": \"strings\", \"kind\": \"worker\", \"items\": {\"param\": \"table\"}}", "",
                 "libparams-gcc.so", "", "items: parameter \"table\" is no integer");
    check_values(LABEL("fixed", "a", "\"param\": \"a\""), "", "libnames.so", "",
                 "no debug information for libnames.so");
    check_values("{\"symbol\": \"setjmp\", \"returns\": \"int\", \"labels\": {\"a\": {\"ret\": true}}}", "",
                 "/lib/x86_64-linux-gnu/libc.so.6", "", "calls are only counted");
}

/* A refused target may not take the hook of its place with it. */
static void keeps_other_entries_of_a_place_whose_values_are_missing(void **state)
{
    static const struct resolve_case cases[] = {
        {LABEL("ints", "a", "\"param\": \"z\"") ", {\"symbol\": \"ints\", \"name\": \"n\"}",
         "ints libparams-gcc.so refused|n libparams-gcc.so full", "no parameter"},
    };

    (void)state;
    CHECK_CASES(cases, "libparams-gcc.so");
}

static void notes_inlined_copies_if_asked_to(void **state)
{
    static const struct {
        const char *functions;
        size_t bytes_max;
        const char *reason;
        const char *second; /* of the second target, if there is one */
    } cases[] = {
        {"{\"symbol\": \"often\"}, {\"symbol\": \"ints\"}", 1 << 20, "inlined at 3 places, which are not counted", ""},
        {"{\"symbol\": \"ofte*\"}, {\"symbol\": \"shared\"}", 1 << 20, "", "inlined at 1 place, which is not counted"},
        {"{\"symbol\": \"ints\"}, {\"symbol\": \"shared\"}", 1 << 20, "", "inlined at 1 place, which is not counted"},
        {"{\"symbol\": \"often\"}, {\"symbol\": \"often\", \"name\": \"n\"}", 1 << 20,
         "inlined at 3 places, which are not counted", ""},
        {"{\"symbol\": \"shared\"}", 1 << 20, "inlined at 1 place, which is not counted", ""},
        {"{\"symbol\": \"ints\"}", 1 << 20, "", ""},
        {"{\"symbol\": \"often*\"}", 1 << 20, "", ""},
        {"{\"symbol\": \"often\"}", 0, "", ""},
        {"{\"symbol\": \"often\"}", 100, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct resolve_options options = {.inlined_bytes_max = cases[i].bytes_max};
        struct resolved resolved;

        resolved_init(&resolved, cases[i].functions, (const char *const[]){"libparams-gcc.so", NULL}, &options);
        assert_string_equal(resolved.resolution.targets[0].reason, cases[i].reason);
        if (resolved.resolution.count > 1)
            assert_string_equal(resolved.resolution.targets[1].reason, cases[i].second);
        resolved_finish(&resolved);
    }
}

static void matches_single_names(void **state)
{
    static const struct {
        const char *pattern;
        bool is_glob;
        const char *name;
        bool is_match;
    } cases[] = {
        {"run", false, "run", true},
        {"ns::run", false, "_ZN2ns3runEi", true},
        {"ns::run(int)", false, "_ZN2ns3runEi", true},
        {"ns::run(long)", false, "_ZN2ns3runEi", false},
        {"ns::*", true, "_ZN2ns3runEi", true},
        {"_ZN2ns*", true, "_ZN2ns3runEi", true},
        {"run", false, "_ZN2ns3runEi", false},
        {"ns::twice<int>", false, "_ZN2ns5twiceIiEET_S1_", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct symbol symbol = {.name = cases[i].name};

        if (resolve_matches(cases[i].pattern, cases[i].is_glob, &symbol) != cases[i].is_match)
            fail_msg("%s against %s", cases[i].pattern, cases[i].name);
    }
}

/* A clause that has no room for its first character, behind what separates it, is left out. */
static void joins_reasons_as_far_as_there_is_room(void **state)
{
    struct resolve_target target;
    const size_t bytes_max = sizeof(target.reason) - 1;

    (void)state;
    for (size_t used = bytes_max - 12; used <= bytes_max; used++) {
        char expected[sizeof(target.reason) + 16] = "";

        memset(target.reason, 0, sizeof(target.reason));
        memset(target.reason, 'a', used);
        memset(expected, 'a', used);
        if (used + 2 < bytes_max)
            memcpy(expected + used, "; clause", sizeof("; clause"));
        expected[bytes_max] = '\0';
        resolve_add_reason(&target, "%s", "clause");
        assert_string_equal(target.reason, expected);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_clones),
        cmocka_unit_test(finds_rust_names),
        cmocka_unit_test(finds_cxx_names),
        cmocka_unit_test(finds_aliases_duplicates_and_versions),
        cmocka_unit_test(refuses_the_same_series_twice),
        cmocka_unit_test(searches_objects_in_order),
        cmocka_unit_test(says_that_a_program_is_stripped),
        cmocka_unit_test(tracks_nothing_in_the_loader),
        cmocka_unit_test(follows_ifuncs),
        cmocka_unit_test(keeps_to_the_mode),
        cmocka_unit_test(finds_places_by_build_id_and_offset),
        cmocka_unit_test(finds_places_in_stripped_objects),
        cmocka_unit_test(names_a_place_that_is_missing),
        cmocka_unit_test(finds_the_values_of_labels_items_and_gauges),
        cmocka_unit_test(refuses_targets_whose_values_cannot_be_found),
        cmocka_unit_test(keeps_other_entries_of_a_place_whose_values_are_missing),
        cmocka_unit_test(notes_inlined_copies_if_asked_to),
        cmocka_unit_test(matches_single_names),
        cmocka_unit_test(joins_reasons_as_far_as_there_is_room),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-OBJECTS\n", argv[0]);
        return 2;
    }
    objects_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
