/* Language runtimes that leave a guest less room than C does, told by what an object is made of. */
#ifndef CALLMETER_SYMBOLS_ELF_RUNTIME_H
#define CALLMETER_SYMBOLS_ELF_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/plan/plan.h"

struct image;
struct object;

/* v8::V8::SetReturnAddressLocationResolver(unsigned long (*)(unsigned long)): V8 finds the frames of generated code by
 * the return addresses below them, of which the innermost is that of a native function. From then on it asks the
 * argument where such an address is, given where the stack has it. */
#define RUNTIME_V8_ASK "_ZN2v82V832SetReturnAddressLocationResolverEPFmmE"

/* The most that functions of this object can get, and why not PLAN_FULL (static text; NULL if it is). Go: nothing, its
 * stacks move. An object that throws exceptions with an unwinder of its own, stripped of symbols: counts, since the
 * unwinder's functions cannot be found when an exception leaves a call. Called when the object's symbols are known.
 * Context: startup. */
enum plan_mode runtime_limit_object(const struct image *image, const struct object *object, const char **ret_reason);

/* True if GHC made some of its code, which is not told by what a function is made of alone. Called as the one above. */
bool runtime_is_haskell(const struct object *object);

/* The same for all functions of a process, because of what else is loaded: a garbage collector that scans stacks for
 * pointers does not see the caller's rbx in a record, and V8 no return address, unless it has RUNTIME_V8_ASK. */
enum plan_mode runtime_limit_process(struct object *const *objects, size_t count, const char **ret_reason);

/* The same where a library comes later, for it and for all that come with it or after it. `name`: its base name or
 * soname. `is_data_scanned`: records lie where Boehm's collector finds them. */
enum plan_mode runtime_limit_late(const char *name, bool is_data_scanned, const char **ret_reason);

/* Why callmeter stands aside in a process of these objects, the program first; static text, or NULL. The functions that
 * it would find are refused all the same, for those who only look. */
const char *runtime_stand_aside(struct object *const *objects, size_t count);

/* True if such a collector is loaded that also scans the data of libraries (Boehm's): records must lie there, and
 * nowhere else. */
bool runtime_scans_data(struct object *const *objects, size_t count);

#endif
