/* From the manifest's functions to places in objects: each entry becomes targets that can be planned, or a reason why
 * not. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_H
#define CALLMETER_SYMBOLS_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/object.h"
#include "symbols/plan.h"

struct diag;
struct manifest;

enum resolve_state {
    RESOLVE_FOUND,   /* object and address are set; plan says what can be done there */
    RESOLVE_MISSING, /* no object that is loaded has it */
    RESOLVE_PENDING, /* `object` names a library that is not loaded; it may come by dlopen */
};

/* One place, or one entry of the manifest for which there is none. */
struct resolve_target {
    size_t function; /* index in manifest->functions */
    enum resolve_state state;
    const struct object *object;        /* NULL unless found */
    const struct object_symbol *symbol; /* NULL unless found */
    uint64_t address; /* virtual address in the object; of an IFUNC: what the resolver answered, where that is known */
    uint64_t size;
    const struct object *code_object; /* the object that holds `address` (an IFUNC's answer lies in the same one) */
    size_t same_as;                   /* index of an earlier target at the same address, or SIZE_MAX */
    struct patch_plan
        plan;   /* of a found one that is not same_as another; mode and reason are final except for memory checks */
    char *name; /* value of the `function` label: manifest `name`, else the demangled name or symbol */
    char reason[192]; /* why missing, pending, refused or only counted; and notes ("clone foo.part.0 is not counted");
                         "" if none */
};

struct resolution {
    struct resolve_target *targets;
    size_t count;
};

/* Answers what an IFUNC's resolver at this run address picks; run address, or 0 if it cannot be told (out of process).
 */
typedef uint64_t (*resolve_ifunc)(const struct object *object, const struct object_symbol *symbol, void *context);

struct resolve_options {
    resolve_ifunc ifunc; /* NULL: IFUNCs are reported as found at the resolver's address, with a note */
    void *context;
    bool has_shadow_stack;
};

/* Resolves all functions of the manifest in `objects` (the program first, then libraries in load order), and plans each
 * target. The caller owns *ret_resolution (resolution_finish); it refers to manifest and objects. -ENOMEM only.
 * Context: startup. */
int resolve_manifest(const struct manifest *manifest, struct object *const *objects, size_t object_count,
                     const struct resolve_options *options, struct resolution *ret_resolution, struct diag *diag);

void resolution_finish(struct resolution *resolution);

/* True if `name` is one that `pattern` (exact or glob) means: the ELF name, or the demangled one with or without its
 * parameters. */
bool resolve_matches(const char *pattern, bool is_glob, const struct object_symbol *symbol);

#endif
