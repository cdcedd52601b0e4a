#include "symbols/elf/runtime.h"

#include <gelf.h>
#include <string.h>

#include "symbols/elf/foreign_text.h"
#include "symbols/elf/image.h"
#include "symbols/elf/object.h"

#define REASON_COLLECTOR                                                                                               \
    "a garbage collector is loaded that looks for pointers on stacks, where the trampoline would hide one"
#define REASON_V8 "V8 reads return addresses from its stacks, and cannot be told where the trampoline keeps them"

static bool has_section(const struct image *image, const char *name)
{
    GElf_Shdr header;

    return image_section_by_name(image, name, &header) != NULL;
}

static bool is_go(const struct image *image)
{
    return has_section(image, ".go.buildinfo") || has_section(image, ".note.go.buildid") ||
           has_section(image, ".gopclntab");
}

/* True if the object takes part of an unwinder from another one. */
static bool imports_unwinder(const struct image *image)
{
    GElf_Shdr header;
    Elf_Scn *section = image_section_by_type(image, SHT_DYNSYM, &header);
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    GElf_Sym symbol;

    for (int i = 0; data && gelf_getsym(data, i, &symbol); i++) {
        const char *name = elf_strptr(image->elf, header.sh_link, symbol.st_name);

        if (symbol.st_shndx == SHN_UNDEF && name &&
            (strncmp(name, "_Unwind_", 8) == 0 || strcmp(name, "__gxx_personality_v0") == 0 ||
             strcmp(name, "__gcc_personality_v0") == 0))
            return true;
    }
    return false;
}

static bool is_named(const struct object *object, const char *prefix)
{
    return strncmp(object->base_name, prefix, strlen(prefix)) == 0 ||
           (object->soname && strncmp(object->soname, prefix, strlen(prefix)) == 0);
}

/* libc has exception tables for cancellation, and asks libgcc for the unwinder when it is needed. */
static bool has_hidden_unwinder(const struct image *image, const struct object *object)
{
    return has_section(image, ".gcc_except_table") && !imports_unwinder(image) &&
           !object_has_function(object, "_Unwind_SetIP") && !is_named(object, "libc.so") &&
           !is_named(object, "libpthread.so");
}

enum plan_mode runtime_limit_object(const struct image *image, const struct object *object, const char **ret_reason)
{
    if (is_go(image)) {
        *ret_reason = "it is Go code, whose stacks move";
        return PLAN_REFUSED;
    }
    if (has_hidden_unwinder(image, object)) {
        *ret_reason = "its C++ runtime is linked in and stripped of symbols, so exceptions could not be followed";
        return PLAN_COUNT;
    }
    *ret_reason = NULL;
    return PLAN_FULL;
}

/* A program has the main that GHC makes, a package's library is called libHS..., the runtime itself has its frames. */
bool runtime_is_haskell(const struct object *object)
{
    return is_named(object, "libHS") || object_has_function(object, "ZCMain_main_info") ||
           object_has_function(object, "stg_upd_frame_info");
}

/* A sanitizer that was linked into the program itself, as clang does it. */
static const char *sanitizer_in(const struct object *program)
{
    static const struct {
        const char *name;
        const char *reason;
    } runtimes[] = {
        {"__asan_init", FOREIGN_SANITIZER("AddressSanitizer")},
        {"__hwasan_init", FOREIGN_SANITIZER("HWAddressSanitizer")},
        {"__tsan_init", FOREIGN_SANITIZER("ThreadSanitizer")},
        {"__msan_init", FOREIGN_SANITIZER("MemorySanitizer")},
        {"__lsan_init", FOREIGN_SANITIZER("LeakSanitizer")},
    };

    for (size_t i = 0; i < program->symbol_count; i++) {
        const char *name = program->symbols[i].name;

        for (size_t j = 0; name[0] == '_' && name[1] == '_' && j < sizeof(runtimes) / sizeof(runtimes[0]); j++)
            if (strcmp(name, runtimes[j].name) == 0)
                return runtimes[j].reason;
    }
    return NULL;
}

static const char *foreign_library(const struct object *library)
{
    static const struct {
        const char *prefix;
        const char *reason;
    } runtimes[] = {
        {"libasan.so", FOREIGN_SANITIZER("AddressSanitizer")},
        {"libclang_rt.asan", FOREIGN_SANITIZER("AddressSanitizer")},
        {"libhwasan.so", FOREIGN_SANITIZER("HWAddressSanitizer")},
        {"libtsan.so", FOREIGN_SANITIZER("ThreadSanitizer")},
        {"libclang_rt.tsan", FOREIGN_SANITIZER("ThreadSanitizer")},
        {"liblsan.so", FOREIGN_SANITIZER("LeakSanitizer")},
        {"libgo.so", FOREIGN_GO}, /* gccgo's */
        {"libjli.so", FOREIGN_JAVA},
        {"libjvm.so", FOREIGN_JAVA},
    };

    for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
        if (is_named(library, runtimes[i].prefix))
            return runtimes[i].reason;
    return NULL;
}

const char *runtime_stand_aside(struct object *const *objects, size_t count)
{
    const char *reason = NULL;

    for (size_t i = 0; i < count && !reason; i++) {
        if (!objects[i]->is_executable)
            reason = foreign_library(objects[i]);
        else if (objects[i]->limit == PLAN_REFUSED)
            reason = FOREIGN_GO; /* of one object, nothing else refuses all */
        else
            reason = sanitizer_in(objects[i]);
    }
    return reason;
}

/* Nim appends to a function's name what tells its copies apart. */
static bool has_function_prefix(const struct object *object, const char *prefix)
{
    size_t length = strlen(prefix);

    for (size_t i = 0; i < object->symbol_count; i++)
        if (strncmp(object->symbols[i].name, prefix, length) == 0)
            return true;
    return false;
}

static bool is_collector_name(const char *name)
{
    static const char *const collectors[] = {
        "libruby",           "libmonosgen", "libmono-2",    "libmonoboehm", "libjavascriptcoregtk",
        "libJavaScriptCore", "libgphobos",  "libgdruntime", "libdruntime",  "libphobos2"};

    for (size_t i = 0; name && i < sizeof(collectors) / sizeof(collectors[0]); i++)
        if (strncmp(name, collectors[i], strlen(collectors[i])) == 0)
            return true;
    return false;
}

/* By name where it is a library; else by what is linked into a program: Ruby, D, Nim. */
static bool has_collector(const struct object *object)
{
    if (is_collector_name(object->base_name) || is_collector_name(object->soname))
        return true;
    return object->is_executable &&
           (is_named(object, "emacs") || object_has_function(object, "rb_gc_mark_locations") ||
            object_has_function(object, "_d_run_main") || has_function_prefix(object, "markStackAndRegisters__"));
}

/* V8 asks whoever moves return addresses where they are, if it can be told whom to ask. */
static bool is_v8_that_cannot_ask(const struct object *object)
{
    return object_has_function(object, "_ZN2v87Isolate3NewERKNS0_12CreateParamsE") &&
           !object_has_function(object, RUNTIME_V8_ASK);
}

enum plan_mode runtime_limit_process(struct object *const *objects, size_t count, const char **ret_reason)
{
    *ret_reason = runtime_stand_aside(objects, count);
    if (*ret_reason)
        return PLAN_REFUSED;
    for (size_t i = 0; i < count; i++) {
        if (has_collector(objects[i]))
            *ret_reason = REASON_COLLECTOR;
        else if (is_v8_that_cannot_ask(objects[i]))
            *ret_reason = REASON_V8;
        if (*ret_reason)
            return PLAN_COUNT;
    }
    return PLAN_FULL;
}

enum plan_mode runtime_limit_late(const char *name, bool is_data_scanned, const char **ret_reason)
{
    if (is_collector_name(name) || (strncmp(name, "libgc.so", 8) == 0 && !is_data_scanned))
        *ret_reason = REASON_COLLECTOR;
    else if (strncmp(name, "libnode.so", 10) == 0 || strncmp(name, "libv8", 5) == 0)
        *ret_reason = REASON_V8;
    else
        *ret_reason = NULL;
    return *ret_reason ? PLAN_COUNT : PLAN_FULL;
}

bool runtime_scans_data(struct object *const *objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_named(objects[i], "libgc.so") || object_has_function(objects[i], "GC_push_all_stack"))
            return true;
    return false;
}
