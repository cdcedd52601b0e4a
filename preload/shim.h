/* What the preload object hands to the control module: the settings, and what each of its rooms offers, in a table a
 * room.
 *
 * preload/ is the part that knows all others. The preload object (gate, interposers, trampolines) needs libc only and
 * is small, since every child of a shell may load it; the control module (preload/control) is loaded only in a
 * process that is to be instrumented. */
#ifndef CALLMETER_PRELOAD_SHIM_H
#define CALLMETER_PRELOAD_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/calls/personality.h"
#include "preload/calls/read.h"
#include "preload/calls/tuples.h"
#include "preload/interpose/loader.h"
#include "preload/machine/log.h"
#include "preload/panic/panic.h"
#include "preload/panic/state_repair.h"
#include "preload/processes/companion.h"
#include "preload/processes/interrupted.h"
#include "preload/records/lane.h"
#include "preload/records/own_work.h"
#include "preload/signals/actions.h"
#include "preload/signals/relocated.h"

/* Modules are entered by names that have the build in them: while a package is replaced, a program that starts may find
 * objects of two builds, and what they share is laid out in two ways. Who uses these names includes
 * "preload/version.h". */
#define SHIM_PASTE(name, build)  name##_##build
#define SHIM_EXPAND(name, build) SHIM_PASTE(name, build)
#define SHIM_NAME(name)          SHIM_EXPAND(name, CALLMETER_BUILD)
#define SHIM_QUOTE(name)         #name
#define SHIM_STRING(name)        SHIM_QUOTE(name)
#define SHIM_CONTROL_START       SHIM_STRING(SHIM_NAME(callmeter_control_start))
#define SHIM_HTTP_CALLS          SHIM_STRING(SHIM_NAME(callmeter_http))
#define SHIM_PANIC_OPEN          SHIM_STRING(SHIM_NAME(callmeter_panic_open))

enum {
    SHIM_EXIT_CONFIG = 78
}; /* EX_CONFIG of sysexits.h */

/* Where the stubs of timed functions jump to, by the clock in use. */
struct shim_code {
    const void *entry;
    const void *sample;
    const void *late_entry; /* for functions whose hooks lead to `extra` */
    const void *late_sample;
    const void *extra;
};

/* NULL where not given. Copies, valid for ever. */
struct shim_settings {
    const char *manifests;
    const char *listen;
    const char *port_file;
    const char *executables; /* CALLMETER_EXE */
    const char *state_dir;   /* CALLMETER_STATE_DIR */
    const char *path;        /* of libcallmeter.so */
    const char *directory;   /* where it lies, no slash at the end */
    bool is_strict;
    bool has_foreign_descriptors; /* foreign.h */
    size_t objects_before;        /* how many objects were loaded before the control module */
};

/* Code that is not called, and its thread's words. */
struct shim_trampolines {
    struct shim_code tsc;
    struct shim_code clock;
    const void *entry_untimed;
    const void *extra_untimed;
    const void *count_slow;
    const void *begin; /* of all code that may stand between a tracked function and its caller */
    const void *end;
    int (*bind)(ptrdiff_t); /* trampolines.h */
};

/* machine/ */
struct shim_machine {
    int (*code_map)(void *address, const void *, size_t);                      /* code_map.h */
    void (*call_on_stack)(void (*function)(void *), void *context, void *top); /* cpu.h */
};

/* records/ and threads/ */
struct shim_lanes {
    /* All of the data plane, before the first function is patched, once. -errno if memory for the first lanes cannot be
     * had: nothing may be patched then. Context: startup. */
    int (*init)(const struct lane_config *);
    void (*reap_threads)(void);
    void (*reap)(void);
    void (*forked)(void);
    void (*work_begin)(struct own_work *); /* own_work.h */
    void (*work_end)(const struct own_work *);
    void (*enter_thread)(void); /* the calling thread is callmeter's: its calls are not counted */
    void (*leave_thread)(void); /* last thing that it does */
    int (*own_thread)(void);    /* the id of the one that did, and is there yet; 0: there is none */
    const struct lane *(*at)(size_t index);
    bool (*lock_take)(uint64_t *word, unsigned naps); /* shared_lock.h */
    void (*lock_leave)(uint64_t *word);
};

/* calls/, and what it has of a call in progress */
struct shim_calls {
    void (*unwind_init)(unwind_lookup);
    void (*unwind_forget)(uintptr_t);
    uintptr_t (*return_place)(uintptr_t); /* chain.h */
    void (*read_init)(const struct read_range *, size_t, uintptr_t, void *const *);
    void (*read_prepare)(struct value_location *);
    uint32_t (*tuples_add)(const struct tuples *, const uint64_t *, uint32_t, uint64_t);
};

/* panic/ and signals/ */
struct shim_panics {
    void (*init)(const struct panic_config *);
    void (*relocated_init)(const struct relocated_map *);
    bool (*lend)(int signal, const struct kernel_action *); /* actions.h */
    void (*take_back)(int signal);
    struct kernel_action (*lent)(void);
    void (*state_watch)(struct segment_header *);
    uint32_t (*state_repairs)(void);
};

/* processes/ and interpose/ */
struct shim_program {
    void (*companion_init)(const struct companion_calls *); /* companion.h */
    void (*interrupted_unwind)(interrupted_unwinder);       /* interrupted.h */
    void (*loader_init)(const struct loader_calls *);       /* loader.h */
    void (**before_main)(void); /* called when the program's constructors have run; NULL: nothing to do */
};

/* host/ */
struct shim_host {
    void (*keep_address)(const char *address);                        /* environment.h */
    bool (*executables_match)(const char *const *list, size_t count); /* executables.h */
    /* Settles who finds the shim again: all programs that this one execs (`is_shared`), or those that the patterns name
     * and the program itself (successor.h). */
    void (*pass_on)(const char *const *patterns, size_t count, bool is_shared);
    void (*stand_aside)(const char *reason); /* instead: the program is left alone, and so is what it execs */
    int (*module_open)(const char *path, void **ret_handle, char *text, size_t text_bytes); /* module.h */
};

struct shim {
    struct shim_settings settings;
    ptrdiff_t thread_offset; /* of hot_thread from the thread pointer */
    const struct shim_trampolines *trampolines;
    const struct shim_machine *machine;
    const struct shim_lanes *lanes;
    const struct shim_calls *calls;
    const struct shim_panics *panics;
    const struct shim_program *program;
    const struct shim_host *host;
    void (*log)(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
};

/* Instruments the process. 0 also if the manifest is bad or nothing could be tracked (it has logged why);
 * SHIM_EXIT_CONFIG if that is so and the settings are strict. Context: startup, on the first thread. */
typedef int (*shim_control_start)(const struct shim *shim);

#endif
