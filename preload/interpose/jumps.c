/* longjmp and its like, which the preload object stands in for. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stddef.h>

#include "preload/interpose/interpose.h"

/* The jumps themselves are in assembly (x86_64/jumps.S), which tail-jumps through these; it must not change what the
 * caller left in registers. */
extern void (*interpose_longjmp)(void);
extern void (*interpose_longjmp_chk)(void);
void interpose_first_longjmp(void);
void interpose_first_longjmp_chk(void);

void (*interpose_longjmp)(void) = interpose_first_longjmp;
void (*interpose_longjmp_chk)(void) = interpose_first_longjmp_chk;
_Static_assert(offsetof(struct __jmp_buf_tag, __mask_was_saved) == 64, "JMP_BUF_MASK_WAS_SAVED in x86_64/jumps.S");

void interpose_resolve(void)
{
    *(void **)&interpose_longjmp = dlsym(RTLD_NEXT, "longjmp");
    *(void **)&interpose_longjmp_chk = dlsym(RTLD_NEXT, "__longjmp_chk");
}
