/* symbols/elf/runtime.h: what the names of objects, functions and sections tell of runtimes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "symbols/common/diag.h"
#include "symbols/elf/foreign_text.h"
#include "symbols/elf/image.h"
#include "symbols/elf/object.h"
#include "symbols/elf/runtime.h"

#define COLLECTOR "a garbage collector"
#define V8        "V8 reads return addresses"

/* An object that is nothing but names. */
struct named {
    struct symbol symbols[2];
    struct object object;
};

static struct object *name_object(struct named *named, const char *base_name, const char *soname, const char *first,
                                  const char *second)
{
    memset(named, 0, sizeof(*named));
    named->symbols[0].name = first;
    named->symbols[1].name = second;
    named->object.base_name = base_name;
    named->object.soname = (char *)(uintptr_t)soname;
    named->object.symbols = named->symbols;
    named->object.symbol_count = (size_t)(first != NULL) + (second != NULL);
    named->object.limit = PLAN_FULL;
    return &named->object;
}

/* The second object of a process; of the first one nothing is to be said. */
struct process_case {
    const char *base_name;
    const char *soname;
    const char *function;
    bool is_program;
    enum plan_mode mode;
    const char *reason; /* begins with that; NULL: there is none */
};

static const struct process_case process_cases[] = {
    {"a", NULL, "main", true, PLAN_FULL, NULL},
    {"liba.so", "liba.so.1", "a", false, PLAN_FULL, NULL},
    /* sanitizers */
    {"a", NULL, "__asan_init", true, PLAN_REFUSED, FOREIGN_SANITIZER("AddressSanitizer")},
    {"a", NULL, "__hwasan_init", true, PLAN_REFUSED, FOREIGN_SANITIZER("HWAddressSanitizer")},
    {"a", NULL, "__tsan_init", true, PLAN_REFUSED, FOREIGN_SANITIZER("ThreadSanitizer")},
    {"a", NULL, "__msan_init", true, PLAN_REFUSED, FOREIGN_SANITIZER("MemorySanitizer")},
    {"a", NULL, "__lsan_init", true, PLAN_REFUSED, FOREIGN_SANITIZER("LeakSanitizer")},
    {"a", NULL, "__asan_init_", true, PLAN_FULL, NULL},
    {"liba.so", NULL, "__asan_init", false, PLAN_FULL, NULL},
    {"libasan.so.8", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("AddressSanitizer")},
    {"libclang_rt.asan-x86_64.so", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("AddressSanitizer")},
    {"libhwasan.so.0", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("HWAddressSanitizer")},
    {"libtsan.so.2", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("ThreadSanitizer")},
    {"libclang_rt.tsan-x86_64.so", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("ThreadSanitizer")},
    {"liblsan.so.0", NULL, NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("LeakSanitizer")},
    {"renamed", "libasan.so.8", NULL, false, PLAN_REFUSED, FOREIGN_SANITIZER("AddressSanitizer")},
    {"libasan.so.8", NULL, NULL, true, PLAN_FULL, NULL},
    {"mylibasan.so", NULL, NULL, false, PLAN_FULL, NULL},
    /* runtimes */
    {"libgo.so.22", NULL, NULL, false, PLAN_REFUSED, FOREIGN_GO},
    {"libjli.so", NULL, NULL, false, PLAN_REFUSED, FOREIGN_JAVA},
    {"libjvm.so", NULL, NULL, false, PLAN_REFUSED, FOREIGN_JAVA},
    {"libruby-3.1.so.3.1", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"x", "libruby-3.1.so.3.1", NULL, false, PLAN_COUNT, COLLECTOR},
    {"libmonosgen-2.0.so.1", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libmono-2.0.so", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libmonoboehm-2.0.so.1", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libjavascriptcoregtk-4.1.so.0", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libJavaScriptCore.so", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libgphobos.so.3", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libgdruntime.so.3", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libdruntime-ldc-shared.so", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"libphobos2-ldc-shared.so", NULL, NULL, false, PLAN_COUNT, COLLECTOR},
    {"emacs-28.2", NULL, NULL, true, PLAN_COUNT, COLLECTOR},
    {"emacs-28.2", NULL, NULL, false, PLAN_FULL, NULL},
    {"a", NULL, "rb_gc_mark_locations", true, PLAN_COUNT, COLLECTOR},
    {"liba.so", NULL, "rb_gc_mark_locations", false, PLAN_FULL, NULL},
    {"a", NULL, "_d_run_main", true, PLAN_COUNT, COLLECTOR},
    {"a", NULL, "markStackAndRegisters__system_4711", true, PLAN_COUNT, COLLECTOR},
    {"a", NULL, "markStackAndRegisters", true, PLAN_FULL, NULL},
    {"a", NULL, "_ZN2v87Isolate3NewERKNS0_12CreateParamsE", true, PLAN_COUNT, V8},
    {"libnode.so.108", NULL, "_ZN2v87Isolate3NewERKNS0_12CreateParamsE", false, PLAN_COUNT, V8},
};

static void check_process(const struct process_case *one)
{
    struct named first;
    struct named second;
    struct object *objects[] = {name_object(&first, "first", NULL, "f", NULL),
                                name_object(&second, one->base_name, one->soname, "g", one->function)};
    const char *reason = "";
    enum plan_mode mode;

    second.object.is_executable = one->is_program;
    mode = runtime_limit_process(objects, 2, &reason);
    if (mode != one->mode || !reason != !one->reason ||
        (reason && strncmp(reason, one->reason, strlen(one->reason)) != 0))
        fail_msg("%s, %s: %d, %s", one->base_name, one->function ? one->function : "", mode, reason ? reason : "none");
    reason = runtime_stand_aside(objects, 2);
    if (!reason != (one->mode != PLAN_REFUSED))
        fail_msg("%s, %s: %s", one->base_name, one->function ? one->function : "", reason ? reason : "goes on");
    assert_int_equal(runtime_limit_process(objects, 1, &reason), PLAN_FULL); /* what is not there says nothing */
    assert_null(reason);
}

static void processes_with_other_runtimes_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(process_cases) / sizeof(*process_cases); i++)
        check_process(&process_cases[i]);
}

static void go_refuses_a_process_only_as_its_program(void **state)
{
    struct named named;
    struct object *object = name_object(&named, "a", NULL, NULL, NULL);

    (void)state;
    object->limit = PLAN_REFUSED;
    assert_null(runtime_stand_aside(&object, 1));
    object->is_executable = true;
    assert_string_equal(runtime_stand_aside(&object, 1), FOREIGN_GO);
}

static void v8_that_can_ask_is_left_alone(void **state)
{
    struct named named;
    struct object *object = name_object(&named, "a", NULL, "_ZN2v87Isolate3NewERKNS0_12CreateParamsE", RUNTIME_V8_ASK);
    const char *reason;

    (void)state;
    assert_int_equal(runtime_limit_process(&object, 1, &reason), PLAN_FULL);
    assert_null(reason);
}

static void late_libraries_are_known_by_name(void **state)
{
    static const struct {
        const char *name;
        bool is_data_scanned;
        enum plan_mode mode;
        const char *reason;
    } cases[] = {
        {"liba.so", false, PLAN_FULL, NULL},
        {"libruby-3.1.so.3.1", false, PLAN_COUNT, COLLECTOR},
        {"libruby-3.1.so.3.1", true, PLAN_COUNT, COLLECTOR},
        {"libgc.so.1", false, PLAN_COUNT, COLLECTOR},
        {"libgc.so.1", true, PLAN_FULL, NULL},
        {"libgcc_s.so.1", false, PLAN_FULL, NULL},
        {"libnode.so.108", false, PLAN_COUNT, V8},
        {"libv8.so", false, PLAN_COUNT, V8},
        {"libnodes.so", false, PLAN_FULL, NULL},
        {"libv7.so", false, PLAN_FULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *reason = "";

        if (runtime_limit_late(cases[i].name, cases[i].is_data_scanned, &reason) != cases[i].mode ||
            !reason != !cases[i].reason || (reason && strncmp(reason, cases[i].reason, strlen(cases[i].reason)) != 0))
            fail_msg("%s: %s", cases[i].name, reason ? reason : "none");
    }
}

static void collectors_that_scan_data_are_known(void **state)
{
    struct named plain;
    struct named other;
    struct object *objects[] = {name_object(&plain, "a", NULL, "main", NULL), NULL};

    (void)state;
    objects[1] = name_object(&other, "libgc.so.1", NULL, NULL, NULL);
    assert_false(runtime_scans_data(objects, 1));
    assert_true(runtime_scans_data(objects, 2));
    objects[1] = name_object(&other, "b", "libgc.so.1", NULL, NULL);
    assert_true(runtime_scans_data(objects, 2));
    objects[1] = name_object(&other, "b", NULL, "main", "GC_push_all_stack");
    assert_true(runtime_scans_data(objects, 2));
    objects[1] = name_object(&other, "b", NULL, "main", "GC_push_all_stacks");
    assert_false(runtime_scans_data(objects, 2));
}

static void haskell_is_known(void **state)
{
    static const struct {
        const char *base_name;
        const char *soname;
        const char *function;
        bool is_haskell;
    } cases[] = {
        {"a", NULL, "main", false},
        {"a", NULL, "ZCMain_main_info", true},
        {"a", NULL, "stg_upd_frame_info", true},
        {"a", NULL, "ZCMain_main_closure", false},
        {"libHSbase-4.17.so", NULL, "f", true},
        {"a.so", "libHSbase-4.17.so", "f", true},
        {"libH.so", NULL, "f", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct named named;

        if (runtime_is_haskell(name_object(&named, cases[i].base_name, cases[i].soname, "g", cases[i].function)) !=
            cases[i].is_haskell)
            fail_msg("%s, %s", cases[i].base_name, cases[i].function);
    }
}

/* An object with a section of that name, which takes one function from elsewhere. */
static enum plan_mode limit_of(const char *section, const char *import, uint16_t import_section,
                               const struct object *object, const char **ret_reason)
{
    char names[64] = "";
    const Elf64_Sym symbols[] = {
        {0}, {.st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = import_section}};
    const struct elf_builder_section sections[] = {
        {section, SHT_PROGBITS, SHF_ALLOC, 0, "x", 1, 0, 0, 0},
        {".dynsym", SHT_DYNSYM, SHF_ALLOC, 0, symbols, sizeof(symbols), 3, sizeof(*symbols), 0},
        {".dynstr", SHT_STRTAB, SHF_ALLOC, 0, names, sizeof(names), 0, 0, 0},
    };
    const struct elf_builder builder = {.sections = sections, .section_count = 3};
    char path[] = "/tmp/test_runtime.XXXXXX";
    struct image image;
    struct diag diag = {0};
    enum plan_mode mode;

    strcpy(names + 1, import);
    elf_builder_write(&builder, path);
    assert_int_equal(image_init(&image, path, &diag), 0);
    unlink(path);
    mode = runtime_limit_object(&image, object, ret_reason);
    image_finish(&image);
    return mode;
}

static void objects_are_limited_by_what_is_in_them(void **state)
{
    static const struct {
        const char *section;
        const char *import;
        uint16_t import_section;
        const char *base_name;
        const char *function;
        enum plan_mode mode;
    } cases[] = {
        {".text", "f", SHN_UNDEF, "a", "main", PLAN_FULL},
        {".go.buildinfo", "f", SHN_UNDEF, "a", "main", PLAN_REFUSED},
        {".note.go.buildid", "f", SHN_UNDEF, "a", "main", PLAN_REFUSED},
        {".gopclntab", "f", SHN_UNDEF, "a", "main", PLAN_REFUSED},
        {".gcc_except_table", "f", SHN_UNDEF, "a", "main", PLAN_COUNT},
        {".gcc_except_table", "_Unwind_Resume", SHN_UNDEF, "a", "main", PLAN_FULL},
        {".gcc_except_table", "_Unwind_", SHN_UNDEF, "a", "main", PLAN_FULL},
        {".gcc_except_table", "_Unwind", SHN_UNDEF, "a", "main", PLAN_COUNT},
        {".gcc_except_table", "_Unwind_Resume", 1, "a", "main", PLAN_COUNT},
        {".gcc_except_table", "__gxx_personality_v0", SHN_UNDEF, "a", "main", PLAN_FULL},
        {".gcc_except_table", "__gcc_personality_v0", SHN_UNDEF, "a", "main", PLAN_FULL},
        {".gcc_except_table", "f", SHN_UNDEF, "a", "_Unwind_SetIP", PLAN_FULL},
        {".gcc_except_table", "f", SHN_UNDEF, "libc.so.6", "main", PLAN_FULL},
        {".gcc_except_table", "f", SHN_UNDEF, "libpthread.so.0", "main", PLAN_FULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct named named;
        const char *reason = "";
        enum plan_mode mode = limit_of(cases[i].section, cases[i].import, cases[i].import_section,
                                       name_object(&named, cases[i].base_name, NULL, "g", cases[i].function), &reason);

        if (mode != cases[i].mode || !reason != (mode == PLAN_FULL))
            fail_msg("case %zu: %d, %s", i, mode, reason ? reason : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_with_other_runtimes_are_known),
        cmocka_unit_test(go_refuses_a_process_only_as_its_program),
        cmocka_unit_test(v8_that_can_ask_is_left_alone),
        cmocka_unit_test(late_libraries_are_known_by_name),
        cmocka_unit_test(collectors_that_scan_data_are_known),
        cmocka_unit_test(haskell_is_known),
        cmocka_unit_test(objects_are_limited_by_what_is_in_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
