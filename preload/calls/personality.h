/* The trampoline's personality, and the unwinder whose context it is handed. */
#ifndef CALLMETER_PRELOAD_CALLS_PERSONALITY_H
#define CALLMETER_PRELOAD_CALLS_PERSONALITY_H

#include <stdint.h>
#include <unwind.h>

/* Of one unwinder: the functions of the Itanium C++ ABI, Exception Handling, 1.4 that the personality needs. */
struct unwind_functions {
    uintptr_t (*get_gr)(struct _Unwind_Context *, int);
    uintptr_t (*get_ip)(struct _Unwind_Context *);
    uintptr_t (*get_cfa)(struct _Unwind_Context *);
    void (*set_gr)(struct _Unwind_Context *, int, uintptr_t);
    void (*set_ip)(struct _Unwind_Context *, uintptr_t);
    void *resume;
};

/* Finds the unwinder whose code `caller` lies in. 0, or -ENOENT. May call libc: an exception is not thrown in a signal
 * handler. */
typedef int (*unwind_lookup)(uintptr_t caller, uintptr_t *ret_low, uintptr_t *ret_high,
                             struct unwind_functions *ret_functions);

/* Context: startup. */
void unwind_init(unwind_lookup function);

/* The object that `address` was in is no longer loaded: another one may come to lie there. */
void unwind_forget(uintptr_t address);

_Unwind_Reason_Code hot_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class exception_class,
                                    struct _Unwind_Exception *exception, struct _Unwind_Context *context);

#endif
