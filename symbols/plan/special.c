#include "symbols/plan/special.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* `name` ends in '*' where any continuation is meant. */
struct special {
    const char *name;
    enum plan_reason reason;
};

static const struct special specials[] = {
    /* They store the place that they return to, and may return there again when the record of the call is long gone.
     * swapcontext returns once for each switch back, but what it stored may be resumed by setcontext any number of
     * times, and its time would be that of all other contexts. */
    {"setjmp", PLAN_REASON_RETURNS_TWICE},
    {"_setjmp", PLAN_REASON_RETURNS_TWICE},
    {"__setjmp", PLAN_REASON_RETURNS_TWICE},
    {"sigsetjmp", PLAN_REASON_RETURNS_TWICE},
    {"_sigsetjmp", PLAN_REASON_RETURNS_TWICE},
    {"__sigsetjmp", PLAN_REASON_RETURNS_TWICE},
    {"savectx", PLAN_REASON_RETURNS_TWICE},
    {"vfork", PLAN_REASON_RETURNS_TWICE},
    {"__vfork", PLAN_REASON_RETURNS_TWICE},
    {"__libc_vfork", PLAN_REASON_RETURNS_TWICE},
    {"getcontext", PLAN_REASON_RETURNS_TWICE},
    {"__getcontext", PLAN_REASON_RETURNS_TWICE},
    {"unw_getcontext", PLAN_REASON_RETURNS_TWICE},
    {"__unw_getcontext", PLAN_REASON_RETURNS_TWICE},
    {"_Ux86_64_getcontext", PLAN_REASON_RETURNS_TWICE},
    {"swapcontext", PLAN_REASON_RETURNS_TWICE},
    {"__swapcontext", PLAN_REASON_RETURNS_TWICE},
    {"jump_fcontext", PLAN_REASON_RETURNS_TWICE},
    {"ontop_fcontext", PLAN_REASON_RETURNS_TWICE},
    {"clone", PLAN_REASON_RETURNS_TWICE},
    {"__clone", PLAN_REASON_RETURNS_TWICE},
    {"__clone2", PLAN_REASON_RETURNS_TWICE},
    {"clone3", PLAN_REASON_RETURNS_TWICE},
    {"__clone3", PLAN_REASON_RETURNS_TWICE},
    {"__clone_internal", PLAN_REASON_RETURNS_TWICE},
    {"_ITM_beginTransaction", PLAN_REASON_RETURNS_TWICE},

    /* Who called, or how the stack looks from here, is part of what they do. */
    {"dlsym", PLAN_REASON_CALLER_SENSITIVE},
    {"dlvsym", PLAN_REASON_CALLER_SENSITIVE},
    {"dlopen", PLAN_REASON_CALLER_SENSITIVE},
    {"dlmopen", PLAN_REASON_CALLER_SENSITIVE},
    {"__dlsym", PLAN_REASON_CALLER_SENSITIVE},
    {"__dlvsym", PLAN_REASON_CALLER_SENSITIVE},
    {"__dlopen", PLAN_REASON_CALLER_SENSITIVE},
    {"__dlmopen", PLAN_REASON_CALLER_SENSITIVE},
    {"__libc_dlopen*", PLAN_REASON_CALLER_SENSITIVE},
    {"__libc_dlsym*", PLAN_REASON_CALLER_SENSITIVE},
    {"__libc_dlvsym*", PLAN_REASON_CALLER_SENSITIVE},
    {"dl_iterate_phdr", PLAN_REASON_CALLER_SENSITIVE},
    {"mcount", PLAN_REASON_CALLER_SENSITIVE},
    {"_mcount", PLAN_REASON_CALLER_SENSITIVE},
    {"__mcount", PLAN_REASON_CALLER_SENSITIVE},
    {"__fentry__", PLAN_REASON_CALLER_SENSITIVE},
    {"__cyg_profile_func_*", PLAN_REASON_CALLER_SENSITIVE},
    {"_Unwind_RaiseException*", PLAN_REASON_CALLER_SENSITIVE},
    {"_Unwind_Resume*", PLAN_REASON_CALLER_SENSITIVE},
    {"_Unwind_ForcedUnwind*", PLAN_REASON_CALLER_SENSITIVE},
    {"_Unwind_Backtrace", PLAN_REASON_CALLER_SENSITIVE},
    {"_Unwind_SjLj_*", PLAN_REASON_CALLER_SENSITIVE},

    /* They never return to their caller, but somewhere else in the same thread, which goes on: a record would stay.
     * Those that end the thread or the process (exit, abort, pthread_exit) are ordinary: the call is in progress until
     * the end, and its end has a name in calls_abandoned_total. */
    {"longjmp", PLAN_REASON_NEVER_RETURNS},
    /* A child of vfork or posix_spawn leaves by these, and the record would stay with its parent, whose memory it is.
     */
    {"execve", PLAN_REASON_NEVER_RETURNS},
    {"__execve", PLAN_REASON_NEVER_RETURNS},
    {"execveat", PLAN_REASON_NEVER_RETURNS},
    {"fexecve", PLAN_REASON_NEVER_RETURNS},
    {"_exit", PLAN_REASON_NEVER_RETURNS},
    {"_Exit", PLAN_REASON_NEVER_RETURNS},
    {"__GI__exit", PLAN_REASON_NEVER_RETURNS},
    {"execv", PLAN_REASON_NEVER_RETURNS},
    {"execvp", PLAN_REASON_NEVER_RETURNS},
    {"execvpe", PLAN_REASON_NEVER_RETURNS},
    {"__execvpe*", PLAN_REASON_NEVER_RETURNS},
    {"maybe_script_execute", PLAN_REASON_NEVER_RETURNS},
    {"execl", PLAN_REASON_NEVER_RETURNS},
    {"execlp", PLAN_REASON_NEVER_RETURNS},
    {"execle", PLAN_REASON_NEVER_RETURNS},
    {"__spawni_child", PLAN_REASON_NEVER_RETURNS},
    {"_longjmp", PLAN_REASON_NEVER_RETURNS},
    {"__longjmp", PLAN_REASON_NEVER_RETURNS},
    {"__longjmp_cancel", PLAN_REASON_NEVER_RETURNS},
    {"siglongjmp", PLAN_REASON_NEVER_RETURNS},
    {"__libc_longjmp", PLAN_REASON_NEVER_RETURNS},
    {"__libc_siglongjmp", PLAN_REASON_NEVER_RETURNS},
    {"__longjmp_chk", PLAN_REASON_NEVER_RETURNS},
    {"____longjmp_chk", PLAN_REASON_NEVER_RETURNS},
    {"setcontext", PLAN_REASON_NEVER_RETURNS},
    {"__setcontext", PLAN_REASON_NEVER_RETURNS},
    {"unw_resume", PLAN_REASON_NEVER_RETURNS},
    {"__unw_resume", PLAN_REASON_NEVER_RETURNS},
    {"_Ux86_64_setcontext", PLAN_REASON_NEVER_RETURNS},
    {"sigreturn", PLAN_REASON_NEVER_RETURNS},
    {"__sigreturn", PLAN_REASON_NEVER_RETURNS},
    {"__libc_start_main", PLAN_REASON_NEVER_RETURNS},
    {"__libc_start_call_main", PLAN_REASON_NEVER_RETURNS},

    /* Called in ways of their own, or not called at all: entered by the kernel, by ld.so, by a return. */
    {"_start", PLAN_REASON_SPECIAL_ABI},
    {"_init", PLAN_REASON_SPECIAL_ABI},
    {"_fini", PLAN_REASON_SPECIAL_ABI},
    {"_dl_start", PLAN_REASON_SPECIAL_ABI},
    {"_dl_start_user", PLAN_REASON_SPECIAL_ABI},
    {"_dl_runtime_*", PLAN_REASON_SPECIAL_ABI},
    {"_dl_tlsdesc_*", PLAN_REASON_SPECIAL_ABI},
    {"__tls_get_addr*", PLAN_REASON_SPECIAL_ABI},
    {"___tls_get_addr*", PLAN_REASON_SPECIAL_ABI},
    {"__restore_rt", PLAN_REASON_SPECIAL_ABI},
    {"__start_context", PLAN_REASON_SPECIAL_ABI},
    {"__morestack*", PLAN_REASON_SPECIAL_ABI},
    {"runtime.*", PLAN_REASON_SPECIAL_ABI},
    {"type:*", PLAN_REASON_SPECIAL_ABI},
    {"type..*", PLAN_REASON_SPECIAL_ABI},
    {"go:*", PLAN_REASON_SPECIAL_ABI},
    {"go.*", PLAN_REASON_SPECIAL_ABI},
    {"_rt0_*", PLAN_REASON_SPECIAL_ABI},

    /* Parts of prologues and epilogues (-mcall-ms2sysv-xlogues): they save and restore their caller's rbx. */
    {"__avx_savms64*", PLAN_REASON_SPECIAL_ABI},
    {"__avx_resms64*", PLAN_REASON_SPECIAL_ABI},
    {"__sse_savms64*", PLAN_REASON_SPECIAL_ABI},
    {"__sse_resms64*", PLAN_REASON_SPECIAL_ABI},

    /* Retpolines, return thunks, what LLVM's outliner takes out: jumped to from the middle of functions, with anything
     * on the stack. */
    {"__x86_indirect_*", PLAN_REASON_SPECIAL_ABI},
    {"__x86_return_thunk*", PLAN_REASON_SPECIAL_ABI},
    {"__llvm_retpoline_*", PLAN_REASON_SPECIAL_ABI},
    {"__llvm_lvi_thunk_*", PLAN_REASON_SPECIAL_ABI},
    {"OUTLINED_FUNCTION_*", PLAN_REASON_SPECIAL_ABI},

    /* V8's built-in functions: at its start V8 may copy them all to where its compiled code is, and run the copies. */
    {"Builtins_*", PLAN_REASON_SPECIAL_ABI},

    /* What Redis does when it has crashed: between their calls nothing lies in any memory but the stack. */
    {"memtest_addressing", PLAN_REASON_MEMORY_TEST},
    {"memtest_fill_*", PLAN_REASON_MEMORY_TEST},
    {"memtest_compare*", PLAN_REASON_MEMORY_TEST},
    {"memtest_progress_*", PLAN_REASON_MEMORY_TEST},
    {"memtest_test", PLAN_REASON_MEMORY_TEST},

    /* OCaml's own assembly; rbx is an ordinary register there. */
    {"caml_program", PLAN_REASON_UNSAVED_RBX},
    {"caml_ml_array_*", PLAN_REASON_UNSAVED_RBX},
    {"caml_reperform", PLAN_REASON_UNSAVED_RBX},
    {"caml_apply*", PLAN_REASON_UNSAVED_RBX},
    {"caml_curry*", PLAN_REASON_UNSAVED_RBX},
    {"caml_tuplify*", PLAN_REASON_UNSAVED_RBX},
    {"caml_send0*", PLAN_REASON_UNSAVED_RBX},
    {"caml_call_gc*", PLAN_REASON_UNSAVED_RBX},
    {"caml_call_poll*", PLAN_REASON_UNSAVED_RBX},
    {"caml_call_realloc_stack*", PLAN_REASON_UNSAVED_RBX},
    {"caml_c_call*", PLAN_REASON_UNSAVED_RBX},
    {"caml_alloc1", PLAN_REASON_UNSAVED_RBX},
    {"caml_alloc2", PLAN_REASON_UNSAVED_RBX},
    {"caml_alloc3", PLAN_REASON_UNSAVED_RBX},
    {"caml_allocN", PLAN_REASON_UNSAVED_RBX},
    {"caml_raise_exn", PLAN_REASON_UNSAVED_RBX},
    {"caml_raise_exception", PLAN_REASON_UNSAVED_RBX},
    {"caml_reraise_exn", PLAN_REASON_UNSAVED_RBX},
    {"caml_perform", PLAN_REASON_UNSAVED_RBX},
    {"caml_resume", PLAN_REASON_UNSAVED_RBX},
    {"caml_runstack", PLAN_REASON_UNSAVED_RBX},
};

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);

    return length > suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static bool is_match(const char *symbol, const char *name)
{
    size_t length = strlen(name);

    if (name[length - 1] == '*')
        return strncmp(symbol, name, length - 1) == 0;
    return strcmp(symbol, name) == 0;
}

/* One of `words`, which are separated by blanks, followed by no more of a word. */
static bool begins_with_word(const char *text, const char *words)
{
    size_t length = strcspn(text, ".0123456789");

    for (const char *word = words; *word; word += strcspn(word, " "), word += *word == ' ')
        if (length && strcspn(word, " ") == length && strncmp(text, word, length) == 0)
            return true;
    return false;
}

/* Package path, dot, name. C compilers put a dot only in front of what they add (foo.part.0, main._omp_fn.0,
 * foo.avx2), which never begins with a capital letter; C++ and Rust have prefixes of their own. */
static bool is_go(const char *symbol)
{
    static const char packages[] = "main bufio bytes cmp context encoding errors expvar flag fmt hash html io iter log "
                                   "maps math mime net os path plugin reflect regexp runtime slices sort strconv "
                                   "strings sync syscall testing time unicode unique";
    static const char suffixes[] =
        "part constprop isra cold lto_priv llvm localalias clone resume destroy cleanup actor "
        "default resolver ifunc avx avx512f sse sse4_ arch_x86_ omp_outlined warm";
    const char *base = strrchr(symbol, '/');
    const char *dot = strchr(base ? base : symbol, '.');

    if (!dot || dot == symbol || has_prefix(symbol, "_Z") || has_prefix(symbol, "_R"))
        return false;
    if (base || isupper((unsigned char)dot[1]) || dot[1] == '(')
        return true;
    return begins_with_word(symbol, packages) && islower((unsigned char)dot[1]) && !begins_with_word(dot + 1, suffixes);
}

/* camlModule__name_123, or camlModule.name_123 since 5.1. */
static bool is_ocaml(const char *symbol)
{
    return has_prefix(symbol, "caml") && isupper((unsigned char)symbol[4]);
}

/* A part of a function, which is jumped to with the frame of the whole. */
static bool is_fragment(const char *symbol)
{
    const char *cold = strstr(symbol, ".cold");

    return cold && (cold[5] == 0 || cold[5] == '.');
}

bool special_is_haskell(const char *symbol, bool is_likely)
{
    static const char *const suffixes[] = {"_info", "_entry", "_slow", "_fast", "_ret"};

    if (!symbol)
        return false;
    if (is_likely && (has_prefix(symbol, "stg_") || has_prefix(symbol, "__stg_")))
        return true; /* what the runtime has in its own language, primitive operations among it */
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (has_suffix(symbol, suffixes[i]))
            return is_likely || has_prefix(symbol, "stg_") || strstr(symbol, "zi") || strstr(symbol, "zm") ||
                   strstr(symbol, "zu");
    return false;
}

enum plan_reason special_reason(const char *symbol)
{
    if (!symbol || !*symbol)
        return PLAN_REASON_NONE;
    if (has_prefix(symbol, "__GI_")) /* glibc's local names of its own functions */
        symbol += 5;
    for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (symbol[0] == specials[i].name[0] && is_match(symbol, specials[i].name))
            return specials[i].reason;
    if (is_go(symbol) || is_fragment(symbol))
        return PLAN_REASON_SPECIAL_ABI;
    return is_ocaml(symbol) ? PLAN_REASON_UNSAVED_RBX : PLAN_REASON_NONE;
}
