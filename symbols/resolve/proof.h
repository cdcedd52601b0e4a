/* Whether the values that an entry asks for are what the manifest says: what is not proven is not taken. Private to
 * symbols/resolve/. Context: startup.
 *
 * Asked in this order: debug information, which gives the parameter's place at the function's entry; the symbol table,
 * since what other objects may call keeps to the calling convention; the compiler, since GCC renames what it changes;
 * and the manifest's `trust_signature`.
 *
 * An argument that a function does not use need not be passed to it at all, even where it is exported: LLVM's callers
 * leave such registers as they are. So debug information that has no place for it is an answer, and where there is
 * none, the function's code has to read the register. */
#ifndef CALLMETER_SYMBOLS_RESOLVE_PROOF_H
#define CALLMETER_SYMBOLS_RESOLVE_PROOF_H

#include <stdbool.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/debuginfo.h"
#include "symbols/resolve/resolution.h"

struct manifest_function;
struct manifest_value;

/* What speaks for the values of one target. */
struct proof {
    const struct manifest_function *function;
    const struct resolve_target *target;
    struct debuginfo *debuginfo; /* NULL: there is none, `why` says so */
    struct diag why;
    bool is_described; /* by debug information: `described` is set, with a prototype */
    struct debuginfo_function described;
    bool is_exported; /* under some name, and the name is none of another language */
    bool is_global;   /* the linker has seen others that may call it */
    bool is_gcc;      /* GCC alone compiled the object, and the name is no clone's */
    bool is_clone;
    bool is_foreign; /* of another language than C and C++ */
    bool is_llvm;    /* or may be: an argument that is not read need not be passed */
};

/* `debuginfo` is that of the code's object, or NULL, and `why` then says why. -ENOMEM. */
int proof_init(struct proof *proof, const struct manifest_function *function, const struct resolve_target *target,
               struct debuginfo *debuginfo, const struct diag *why, bool is_all_gnu);

/* Finds an argument (a value of any source but `ret`) and what proves it. -EINVAL: debug information contradicts what
 * the manifest says of it; -ENOENT, -ENOTSUP: there is no such parameter, or it cannot be proven. The diag says why,
 * and what to do about it. -ENOMEM. */
int proof_argument(const struct proof *proof, const struct manifest_value *value, struct value_location *ret_location,
                   enum resolve_proof *ret_proof, struct diag *diag);

/* The same of the result, which the manifest says is of that type. */
int proof_result(const struct proof *proof, enum value_type type, enum resolve_proof *ret_proof, struct diag *diag);

#endif
