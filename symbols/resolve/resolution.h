/* From the manifest's functions to places in objects: each entry becomes targets that can be planned, or a reason why
 * not.
 *
 * Where an entry is looked for. With `object`: in every object whose base name (also that of the file a symbolic link
 * leads to) or soname matches. Without: in the program, then in the libraries in load order; the first object that has
 * a match ends the search, for globs as for exact names. ld.so comes last, and nothing in it is tracked.
 *
 * What becomes of one name.
 * - Several functions of that name in one object (static ones of several files, overloads of a C++ name without its
 *   parameters): each is a target.
 * - Versions: `foo` means the default version, and every other that is code of its own and can be tracked;
 * `foo@VERSION` means one.
 * - Clones: `foo.constprop.0` and its like stand in for `foo` where that does not exist; beside it they are mentioned
 * in the reason. `.part` and `.cold` never stand in.
 * - Globs take what no other entry has taken: exact names go first, then globs in the manifest's order. A glob that is
 *   the very name of a function (`f(char*)`, `operator*`) means that function.
 *
 * - An entry with `build_id` and `offset` means the code there, where it is a function's beginning as far as symbols
 * and unwind information tell.
 *
 * Names. The `function` label is `name`, else the demangled name as c++filt prints it, without a clone's suffix. Where
 * it would give two series of one object the same labels, a part is added behind `@` that tells them apart and, if it
 * can be, stays the same in the next build: the function's own name (where `name` says something else), the version,
 * the source file, the ELF name, or the address as the last resort. A function that is neither static, nor a clone, nor
 * an old version, keeps the plain name. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_RESOLUTION_H
#define CALLMETER_SYMBOLS_RESOLVE_RESOLUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/elf/object.h"
#include "symbols/plan/plan.h"
#include "symbols/values/value.h"

struct diag;
struct manifest;
struct manifest_gauge;
struct manifest_value;
struct variable;
struct variable_search;

enum resolve_state {
    RESOLVE_FOUND,   /* object and address are set; plan says what can be done there */
    RESOLVE_MISSING, /* no object that is loaded has it */
    RESOLVE_PENDING, /* `object` names a library that is not loaded; it may come by dlopen */
};

/* Why a value of an argument or of the result is what the manifest says: compilers change the signatures of functions
 * that they see all callers of. */
enum resolve_proof {
    RESOLVE_PROOF_NONE,      /* there is nothing to prove */
    RESOLVE_PROOF_DEBUGINFO, /* debug information gives its place at the function's entry; of a result its type, where
                                nothing says that the compiler could have changed it */
    RESOLVE_PROOF_EXPORTED,  /* anybody may call the function, so it keeps to the calling convention */
    RESOLVE_PROOF_GCC,       /* GCC alone compiled the object, which renames what it changes */
    RESOLVE_PROOF_TRUSTED,   /* the manifest says so */
};

/* "debug information", "exported", ...: static. */
const char *resolve_proof_text(enum resolve_proof proof);

/* One place, or one entry of the manifest for which there is none. */
struct resolve_target {
    size_t function; /* index in manifest->functions */
    enum resolve_state state;
    const struct object *object; /* NULL unless found */
    const struct symbol *symbol; /* NULL unless found. Of a place without one, which an entry gave by its offset,
                                           a stand-in called "0x4711" */
    uint64_t address; /* virtual address in the object; of an IFUNC: what the resolver answered, where that is known */
    uint64_t size;
    const struct object *code_object; /* the object that holds `address` (an IFUNC's answer lies in the same one) */
    size_t same_as;         /* index of an earlier target at the same address whose hook this one shares, or SIZE_MAX */
    struct patch_plan plan; /* of a found one; mode and reason are final except for memory checks. One that is same_as
                               another has a copy of that one's */
    bool is_partial;        /* found and tracked, but calls of it are known to go past it: the reason says how */
    struct value_location *values;   /* where the values are that the manifest asks for: of each dynamic label, in the
                                        manifest's order; of `items`, if it is given; of each gauge of a resource that is
                                        fed by calls of this function, in the order of `resources`, `in_use` before
                                        `limit`. Where a label or the items cannot be found, the target is refused. Where
                                        a gauge cannot, its type is VALUE_VOID and the reason says why */
    enum resolve_proof *proofs;      /* of each of `values` */
    enum resolve_proof result_proof; /* of the result, where conditions, error types or `recover` ask for it */
    size_t value_count;              /* 0 unless found and not refused; and of an IFUNC whose code is not known */
    struct symbol *own_symbol;       /* private: the stand-in */
    char *name; /* value of the `function` label, valid UTF-8: manifest `name`, else the demangled name or symbol */
    char reason[320]; /* why missing, pending, refused or only counted; and notes ("clone foo.part.0 is not counted");
                         "" if none */
};

/* Targets in the order of the manifest's functions, those of one function together. A glob may have none, if other
 * entries have taken all that it matches. */
struct resolution {
    struct resolve_target *targets;
    size_t count;
};

/* Answers what an IFUNC's resolver at this run address picks; run address, or 0 if it cannot be told (out of process).
 */
typedef uint64_t (*resolve_ifunc)(const struct object *object, const struct symbol *symbol, void *context);

struct resolve_options {
    resolve_ifunc ifunc; /* NULL: IFUNCs are reported as found at the resolver's address, with a note, and unplanned */
    void *context;
    bool has_shadow_stack;
    size_t inlined_bytes_max; /* largest debug information of an object that is searched for inlined copies of functions
                                 that were asked for by name, which costs some milliseconds a MiB; 0: never */
};

/* Resolves all functions of the manifest in `objects` (the program first, then libraries in load order), and plans each
 * target. The caller owns *ret_resolution (resolution_finish); it refers to manifest and objects. -ENOMEM only.
 * Context: startup. */
int resolve_manifest(const struct manifest *manifest, struct object *const *objects, size_t object_count,
                     const struct resolve_options *options, struct resolution *ret_resolution, struct diag *diag);

void resolution_finish(struct resolution *resolution);

/* True if `pattern` (exact or glob) means the symbol: its ELF name, or its demangled one with or without parameters.
 * Context: startup. */
bool resolve_matches(const char *pattern, bool is_glob, const struct symbol *symbol);

/* The location of a value that is given by number, or is the result: all but MANIFEST_SOURCE_NONE and _PARAM. A result
 * of no type of its own is of type `returns`. The numbers are taken as if no other arguments lay on the stack. -EINVAL
 * with the reason: the type makes no sense there. Context: startup. */
int resolve_locate_numbered(const struct manifest_value *value, enum value_type returns,
                            struct value_location *ret_location, struct diag *diag);

/* Finds the variable that a gauge of source MANIFEST_GAUGE_GLOBAL names. Returns what variable_find does. Context:
 * startup. */
int resolve_gauge(struct variable_search *search, const struct manifest_gauge *gauge, struct variable *ret_variable,
                  struct diag *diag);

#endif
